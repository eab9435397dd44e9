/*
 * connection_watch [SCRIPT]: reads addresses, one a line; holds a connection to each by an epoll loop, and when its other end is gone starts
 * SCRIPT, then tells when it saw it. Lines out: `armed 0`, `seen MS`.
 */
#include <sys/epoll.h>
#include <sys/wait.h>

#include "address.h"

int main(int argc, char **argv) {
  const char *script = argc > 1 ? argv[1] : NULL;
  char line[200];
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0) die("epoll_create1");
  while (fgets(line, sizeof line, stdin) != NULL) {
    address_t address;
    line[strcspn(line, "\n")] = '\0';
    socklen_t size = parse_address(line, &address);
    int fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, &address.any, size) != 0) die(line);
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP, .data.fd = fd};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) die("epoll_ctl");
    tell("armed", 0);
    while (epoll_wait(epoll, &event, 1, -1) != 1) {
    }
    double seen_ms = now_ms();
    if (script != NULL) start_script(script);
    tell("seen", seen_ms);
    close(fd);
    while (waitpid(-1, NULL, WNOHANG) > 0) {
    }
  }
  return 0;
}
