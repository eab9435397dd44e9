/*
 * Preloaded into the lab's real stack, so that a test can have it end by itself: signal 40+n makes it exit with status n.
 * slirp4netns has no such way of its own.
 */
#include <signal.h>
#include <unistd.h>

enum { FIRST_SIGNAL = 40, STATUSES = 8 };

static void end(int signal_number) {
  _exit(signal_number - FIRST_SIGNAL);
}

__attribute__((constructor)) static void listen_for_signals(void) {
  for (int status = 0; status < STATUSES; status++) signal(FIRST_SIGNAL + status, end);
}
