/*
 * pidfd_watch [SCRIPT]: reads pids, one a line; watches each by an epoll loop on its pidfd (pidfd_open(2)), and at its death
 * starts SCRIPT, then tells when it saw it. Lines out: `armed 0`, `seen MS`.
 */
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "common.h"

int main(int argc, char **argv) {
  const char *script = argc > 1 ? argv[1] : NULL;
  char line[32];
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0) die("epoll_create1");
  while (fgets(line, sizeof line, stdin) != NULL) {
    int pidfd = (int)syscall(SYS_pidfd_open, atoi(line), 0);
    if (pidfd < 0) die("pidfd_open");
    struct epoll_event event = {.events = EPOLLIN, .data.fd = pidfd};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, pidfd, &event) != 0) die("epoll_ctl");
    tell("armed", 0);
    while (epoll_wait(epoll, &event, 1, -1) != 1) {
    }
    double seen_ms = now_ms();
    if (script != NULL) start_script(script);
    tell("seen", seen_ms);
    close(pidfd);
    while (waitpid(-1, NULL, WNOHANG) > 0) {
    }
  }
  return 0;
}
