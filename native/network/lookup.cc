#include "network/lookup.h"

#include <arpa/inet.h>
#include <linux/rtnetlink.h>
#include <sys/time.h>

#include "base/error.h"
#include "network/attributes.h"
#include "network/request.h"

namespace sockmon {
namespace {

constexpr size_t kAnswerSize = 4096;
constexpr int kLoopback = 1;
/// Of times in routing messages: USER_HZ, 100 on every architecture that Node runs on.
constexpr double kTickMs = 10;

Request request_for(const RouteQuery& query, unsigned flags) {
  const size_t size = query.to.family == AF_INET ? 4 : 16;
  rtmsg body{};
  body.rtm_family = query.to.family;
  body.rtm_dst_len = static_cast<unsigned char>(8 * size);
  body.rtm_flags = flags;
  Request request(RTM_GETROUTE, body, 0);
  request.with(RTA_DST, query.to.bytes.data(), size);
  if (query.mark != 0) request.with(RTA_MARK, query.mark);
  if (query.vrf != 0) request.with(RTA_OIF, static_cast<uint32_t>(query.vrf));
  return request;
}

}  // namespace

std::optional<IpAddress> parse_address(const std::string& text) {
  IpAddress address;
  for (const uint8_t family : {AF_INET, AF_INET6}) {
    if (inet_pton(family, text.c_str(), address.bytes.data()) != 1) continue;
    address.family = family;
    return address;
  }
  return std::nullopt;
}

/// Of an answer: a route of this family, with its first way.
std::optional<KernelRouter::Answer> KernelRouter::read(const Bytes& body, int family) {
  rtmsg header;
  if (!body.get(header) || header.rtm_family != family || header.rtm_type != RTN_UNICAST) return std::nullopt;
  Answer answer{{}, header.rtm_protocol};
  Path& path = answer.path;
  each_attribute(body.from(NLMSG_ALIGN(sizeof header)), [&](int type, Bytes value) {
    if (type == RTA_OIF) value.get(path.link);
    if (type == RTA_GATEWAY) path.gateway = value.address(family);
    if (type == RTA_PREFSRC) path.source = value.address(family);
    rta_cacheinfo times{};
    if (type == RTA_CACHEINFO && value.get(times) && times.rta_expires > 0) path.lasts_ms = times.rta_expires * kTickMs;
    // An IPv4 route by an IPv6 gateway: its family stands before the address.
    if (type == RTA_VIA && value.size > 2) path.gateway = value.from(2).address(AF_INET6);
  });
  if (path.link == 0 || path.link == kLoopback) return std::nullopt;
  return answer;
}

void KernelRouter::open() {
  if (fd_) return;
  fd_ = UniqueFd(sys_.socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!fd_) throw Error::from_errno(errno, "Cannot open a netlink socket");
  const timeval patience{1, 0};
  setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
}

/// How long a route holds, the kernel says of the route itself alone, and not of the way of a packet, which has the source (Linux 4.13).
std::optional<Path> KernelRouter::find(const RouteQuery& query) {
  auto found = ask(query, 0);
  if (!found) return std::nullopt;
  if (found->protocol == RTPROT_RA) {
    if (const auto route = ask(query, RTM_F_FIB_MATCH)) found->path.lasts_ms = route->path.lasts_ms;
  }
  return found->path;
}

std::optional<KernelRouter::Answer> KernelRouter::ask(const RouteQuery& query, unsigned flags) {
  open();
  Request request = request_for(query, flags);
  request.header().nlmsg_seq = ++sequence_;
  const auto failed = [&](int error) {
    // What comes late must not be taken for the answer to the next question.
    fd_.reset();
    return Error::from_errno(error, "Cannot ask the kernel for a route");
  };
  if (retry_eintr([&] { return sys_.send(fd_.get(), request.data(), request.size(), 0); }) < 0) throw failed(errno);
  for (;;) {
    char buffer[kAnswerSize];
    const ssize_t got = retry_eintr([&] { return sys_.recv(fd_.get(), buffer, sizeof buffer, 0); });
    if (got < 0) throw failed(errno);
    const Bytes bytes{buffer, static_cast<size_t>(got)};
    nlmsghdr header;
    if (!bytes.get(header) || header.nlmsg_len < sizeof header || header.nlmsg_len > bytes.size) throw failed(EBADMSG);
    if (header.nlmsg_seq != sequence_) continue;
    const Bytes body{bytes.data + NLMSG_HDRLEN, header.nlmsg_len - NLMSG_HDRLEN};
    if (header.nlmsg_type == RTM_NEWROUTE) return read(body, query.to.family);
    nlmsgerr error{};
    if (header.nlmsg_type != NLMSG_ERROR || !body.get(error)) throw failed(EBADMSG);
    switch (-error.error) {
      // What a route of the type unreachable, blackhole or prohibit, and the lack of any, answer.
      case ENETUNREACH:
      case EHOSTUNREACH:
      case EINVAL:
      case EACCES:
      // No IPv6, or no such VRF any more.
      case EAFNOSUPPORT:
      case EOPNOTSUPP:
      case ENODEV:
      case ESRCH:
        return std::nullopt;
      default:
        throw failed(-error.error);
    }
  }
}

}  // namespace sockmon
