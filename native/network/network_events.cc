// The socket of changes, and what the kernel keeps from it.
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include <cerrno>

#include "base/error.h"
#include "network/netlink.h"

namespace sockmon {
namespace {

/// Held 10,082 route messages of a flood of 20,000; grows only when used.
constexpr int kEventBuffer = 8 << 20;

constexpr unsigned kTypeOffset = 4;
constexpr unsigned kFamilyOffset = NLMSG_HDRLEN;
constexpr unsigned kPrefixOffset = NLMSG_HDRLEN + 1;
constexpr unsigned kPass = ~0U;

/// The filter loads in network order what stands there in the machine's.
constexpr unsigned loaded(uint16_t type) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  return static_cast<unsigned>(type >> 8 | (type & 0xff) << 8);
#else
  return type;
#endif
}

/**
 * Drops routes with a prefix longer than one bit before they are queued, so that a routing daemon's full table neither wakes us nor fills the
 * buffer, and what bridges tell of their ports (AF_BRIDGE). Each change is a datagram of its own; only dumps put several messages into one, and
 * none is asked for on this socket. A kernel without socket filters sends everything, and the parser passes it over.
 */
void attach_filter(int fd) {
  sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_H | BPF_ABS, kTypeOffset),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, loaded(RTM_NEWROUTE), 5, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, loaded(RTM_DELROUTE), 4, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, loaded(RTM_NEWLINK), 1, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, loaded(RTM_DELLINK), 0, 4),
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, kFamilyOffset),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_BRIDGE, 3, 2),
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, kPrefixOffset),
      BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, 1, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, kPass),
      BPF_STMT(BPF_RET | BPF_K, 0),
  };
  const sock_fprog program{sizeof code / sizeof *code, code};
  setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
}

}  // namespace

UniqueFd open_network_events(Sys& sys) {
  UniqueFd fd(sys.socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE));
  if (!fd) throw Error::from_errno(errno, "Cannot open a netlink socket");
  if (setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, &kEventBuffer, sizeof kEventBuffer) != 0)
    setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUF, &kEventBuffer, sizeof kEventBuffer);
  attach_filter(fd.get());
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups =
      RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE;
  if (bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    throw Error::from_errno(errno, "Cannot listen to the network's changes");
  // Older or smaller kernels have no such group (nexthop objects: Linux 5.3).
  for (const int group : {RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE, RTNLGRP_NEXTHOP})
    setsockopt(fd.get(), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group);
  return fd;
}

}  // namespace sockmon
