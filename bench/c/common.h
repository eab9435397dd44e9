/* What the bare C programs share: one clock, one way to start a script, fatal errors. */
#ifndef SOCKMON_BENCH_COMMON_H
#define SOCKMON_BENCH_COMMON_H

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

/* The clock of sockmon's own times. */
static inline double now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_BOOTTIME, &now);
  return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static inline void die(const char *what) {
  fprintf(stderr, "%s: %s\n", what, strerror(errno));
  exit(1);
}

/* One line to the benchmark: a word and a time. */
static inline void tell(const char *word, double at_ms) {
  printf("%s %.6f\n", word, at_ms);
  fflush(stdout);
}

/* What a careful C programmer would do, and sockmon does: clean signals, own session. */
static inline void start_script(const char *path) {
  posix_spawnattr_t attributes;
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  char *const argv[] = {(char *)path, NULL};
  pid_t pid;
  errno = posix_spawn(&pid, path, NULL, &attributes, argv, environ);
  if (errno != 0) die(path);
  posix_spawnattr_destroy(&attributes);
}

#endif
