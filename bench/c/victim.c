/* Something small that can be killed: it says that it lives, and waits. */
#include <unistd.h>

int main(void) {
  if (write(STDOUT_FILENO, "alive\n", 6) != 6) return 1;
  for (;;) pause();
}
