/*
 * link_watch INTERFACE [SCRIPT]: subscribes to rtnetlink(7) in its network namespace. When the interface is deleted it starts
 * SCRIPT, then tells when it saw that; it tells too when an IPv4 default route appears. Lines out: `armed 0`, `gone MS`, `back MS`.
 */
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "common.h"

static int subscribe(void) {
  struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK | RTMGRP_IPV4_ROUTE};
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0) die("rtnetlink");
  return fd;
}

static const char *interface_name(const struct nlmsghdr *message) {
  const struct ifinfomsg *info = NLMSG_DATA(message);
  int left = (int)IFLA_PAYLOAD(message);
  for (const struct rtattr *a = IFLA_RTA(info); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
    if (a->rta_type == IFLA_IFNAME) return RTA_DATA(a);
  }
  return "";
}

static int is_default_route(const struct nlmsghdr *message) {
  const struct rtmsg *route = NLMSG_DATA(message);
  return route->rtm_family == AF_INET && route->rtm_dst_len == 0 && route->rtm_table == RT_TABLE_MAIN;
}

static void look_at(const struct nlmsghdr *message, double at_ms, const char *interface, const char *script) {
  if (message->nlmsg_type == RTM_DELLINK && strcmp(interface_name(message), interface) == 0) {
    if (script != NULL) start_script(script);
    tell("gone", at_ms);
  } else if (message->nlmsg_type == RTM_NEWROUTE && is_default_route(message)) {
    tell("back", at_ms);
  }
}

int main(int argc, char **argv) {
  static char buffer[65536] __attribute__((aligned(NLMSG_ALIGNTO)));
  if (argc < 2) return 64;
  const char *script = argc > 2 ? argv[2] : NULL;
  int fd = subscribe();
  tell("armed", 0);
  for (;;) {
    ssize_t size = recv(fd, buffer, sizeof buffer, 0);
    double at_ms = now_ms();
    if (size < 0 && errno != ENOBUFS && errno != EINTR) die("recv");
    int left = (int)size;
    for (struct nlmsghdr *m = (struct nlmsghdr *)buffer; NLMSG_OK(m, left); m = NLMSG_NEXT(m, left)) {
      look_at(m, at_ms, argv[1], script);
    }
    while (waitpid(-1, NULL, WNOHANG) > 0) {
    }
  }
}
