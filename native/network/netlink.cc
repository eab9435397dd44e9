#include "network/netlink.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/time.h>

#include <algorithm>
#include <memory>
#include <tuple>

#include "base/error.h"

namespace sockmon {
namespace {

/// The kernel fills a dump's datagrams up to 32 KB.
constexpr size_t kBufferSize = 64 << 10;
/// Held 10,082 route messages of a flood of 20,000; grows only when used.
constexpr int kEventBuffer = 8 << 20;
constexpr int kDumpTries = 4;

void dump_table(Sys& sys, int fd, uint16_t type, size_t header_size, uint32_t sequence, char* buffer,
                Batch& total, NetworkState& state) {
  struct {
    nlmsghdr header;
    char body[sizeof(ifinfomsg)];
  } request{};
  static_assert(sizeof(ifinfomsg) >= sizeof(rtmsg) && sizeof(ifinfomsg) >= sizeof(ifaddrmsg));
  request.header.nlmsg_len = static_cast<uint32_t>(NLMSG_LENGTH(header_size));
  request.header.nlmsg_type = type;
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  request.header.nlmsg_seq = sequence;
  if (retry_eintr([&] { return sys.send(fd, &request, request.header.nlmsg_len, 0); }) < 0)
    throw Error::from_errno(errno, "Cannot ask the kernel for the state of the network");
  for (bool done = false; !done;) {
    const ssize_t got = retry_eintr([&] { return sys.recv(fd, buffer, kBufferSize, 0); });
    if (got <= 0) throw Error::from_errno(got < 0 ? errno : EPROTO, "Cannot read the state of the network");
    const Batch batch = read_messages(buffer, static_cast<size_t>(got), sequence, state);
    if (batch.error != 0) throw Error::from_errno(batch.error, "The kernel refuses to tell the state of the network");
    total.interrupted |= batch.interrupted;
    done = batch.done;
  }
}

void sort_routes(NetworkState& state) {
  const auto rank = [](const DefaultRoute& route) { return std::tuple(route.family != AF_INET, route.metric); };
  std::stable_sort(state.routes.begin(), state.routes.end(),
                   [&](const DefaultRoute& a, const DefaultRoute& b) { return rank(a) < rank(b); });
}

}  // namespace

NetworkState dump_network(Sys& sys) {
  UniqueFd fd(sys.socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!fd) throw Error::from_errno(errno, "Cannot open a netlink socket");
  const timeval patience{1, 0};
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  const std::unique_ptr<char[]> buffer(new char[kBufferSize]);  // not zeroed: this is on the way to the reflex
  uint32_t sequence = 0;
  for (int attempt = 1;; attempt++) {
    NetworkState state;
    Batch total;
    dump_table(sys, fd.get(), RTM_GETLINK, sizeof(ifinfomsg), ++sequence, buffer.get(), total, state);
    dump_table(sys, fd.get(), RTM_GETADDR, sizeof(ifaddrmsg), ++sequence, buffer.get(), total, state);
    dump_table(sys, fd.get(), RTM_GETROUTE, sizeof(rtmsg), ++sequence, buffer.get(), total, state);
    // Never consistent while things keep changing: the next event brings the next dump.
    if (total.interrupted && attempt < kDumpTries) continue;
    sort_routes(state);
    return state;
  }
}

UniqueFd open_network_events(Sys& sys) {
  UniqueFd fd(sys.socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE));
  if (!fd) throw Error::from_errno(errno, "Cannot open a netlink socket");
  if (setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, &kEventBuffer, sizeof kEventBuffer) != 0)
    setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUF, &kEventBuffer, sizeof kEventBuffer);
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups =
      RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE;
  if (bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    throw Error::from_errno(errno, "Cannot listen to the network's changes");
  // A removed nexthop object takes its IPv4 routes along without a word (Linux 5.3; older kernels have no such group).
  const int nexthop = RTNLGRP_NEXTHOP;
  setsockopt(fd.get(), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &nexthop, sizeof nexthop);
  return fd;
}

}  // namespace sockmon
