/* `tcp:127.0.0.1:PORT` or `unix:/PATH` as an address. */
#ifndef SOCKMON_BENCH_ADDRESS_H
#define SOCKMON_BENCH_ADDRESS_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "common.h"

typedef union {
  struct sockaddr any;
  struct sockaddr_in in;
  struct sockaddr_un un;
} address_t;

/* Its size. */
static inline socklen_t parse_address(const char *text, address_t *address) {
  memset(address, 0, sizeof *address);
  if (strncmp(text, "unix:", 5) == 0) {
    address->un.sun_family = AF_UNIX;
    snprintf(address->un.sun_path, sizeof address->un.sun_path, "%.*s", (int)sizeof address->un.sun_path - 1, text + 5);
    return sizeof address->un;
  }
  const char *port = strrchr(text, ':');
  address->in.sin_family = AF_INET;
  address->in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address->in.sin_port = htons((unsigned short)(port == NULL ? 0 : atoi(port + 1)));
  return sizeof address->in;
}

#endif
