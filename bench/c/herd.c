/* Many small processes that wait, each with a name of its own and, if a folder is given, a pidfile in it: herd N [FOLDER]. They share one
 * memory, so that ten thousand of them are to be had, and end with this one. */
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

static int wait_for_the_end(void *number) __attribute__((noreturn));
static int wait_for_the_end(void *number) {
  char name[16];
  snprintf(name, sizeof name, "herd-%ld", (long)number);
  prctl(PR_SET_NAME, name);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (;;) pause();
}

static int write_pidfile(const char *folder, long number, int pid) {
  char path[4096];
  snprintf(path, sizeof path, "%s/%ld.pid", folder, number);
  FILE *file = fopen(path, "we");
  return file != NULL && fprintf(file, "%d\n", pid) > 0 && fclose(file) == 0;
}

int main(int argc, char **argv) {
  const long stack = 8192;
  const long count = argc > 1 ? atol(argv[1]) : 0;
  char *stacks = mmap(NULL, (size_t)(count * stack), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (stacks == MAP_FAILED) return 1;
  for (long i = 0; i < count; i++) {
    const int pid = clone(wait_for_the_end, stacks + (i + 1) * stack, CLONE_VM | SIGCHLD, (void *)i);
    if (pid < 0 || (argc > 2 && !write_pidfile(argv[2], i, pid))) return 1;
  }
  if (write(STDOUT_FILENO, "alive\n", 6) != 6) return 1;
  for (;;) pause();
}
