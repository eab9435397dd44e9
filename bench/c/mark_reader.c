/* mark_reader FIFO: tells when somebody wrote into the FIFO, as the first line of a restart script does. Lines out: `armed 0`, `mark MS`. */
#include <fcntl.h>

#include "common.h"

int main(int argc, char **argv) {
  char buffer[64];
  if (argc < 2) return 64;
  /* For writing too: so that it never sees an end of file between two scripts. */
  int fd = open(argv[1], O_RDWR | O_CLOEXEC);
  if (fd < 0) die(argv[1]);
  tell("armed", 0);
  while (read(fd, buffer, sizeof buffer) > 0) tell("mark", now_ms());
  return 1;
}
