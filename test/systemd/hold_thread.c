/* A thread named like the monitor's that the kernel holds uninterruptibly (state D): it waits for a child of vfork(2) that never ends. */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

static void* hold(void* unused) {
  prctl(PR_SET_NAME, "sockmon");
  if (vfork() == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) pause();
  }
  return unused;
}

int main(void) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, hold, NULL) != 0) return 1;
  /* For as long as the test holds the other end of the pipe. */
  getchar();
  return 0;
}
