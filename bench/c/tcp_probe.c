/*
 * tcp_probe ADDRESS PORT: for each line on stdin tries to connect until it works, and tells when that was.
 * Lines out: `armed 0`, `connected MS`.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>

#include "common.h"

/* A SYN that met the dying stack is lost, and its repetition would come a second later: rather a new connection. */
enum { PATIENCE_MS = 10, PAUSE_US = 1000 };

static int can_connect(const struct sockaddr_in *address) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) die("socket");
  int error = connect(fd, (const struct sockaddr *)address, sizeof *address) == 0 ? 0 : errno;
  if (error == EINPROGRESS) {
    struct pollfd wait = {.fd = fd, .events = POLLOUT};
    socklen_t length = sizeof error;
    if (poll(&wait, 1, PATIENCE_MS) == 1) getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
  }
  close(fd);
  return error == 0;
}

int main(int argc, char **argv) {
  char line[16];
  if (argc < 3) return 64;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(argv[2]))};
  if (inet_pton(AF_INET, argv[1], &address.sin_addr) != 1) return 64;
  tell("armed", 0);
  while (fgets(line, sizeof line, stdin) != NULL) {
    while (!can_connect(&address)) usleep(PAUSE_US);
    tell("connected", now_ms());
  }
  return 0;
}
