#include "network/netlink.h"

#include <linux/fib_rules.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>
#include <sys/time.h>

#include <algorithm>
#include <memory>

#include "base/error.h"
#include "network/request.h"

namespace sockmon {
namespace {

/// The kernel fills a dump's datagrams up to 32 KB.
constexpr size_t kBufferSize = 64 << 10;
/// Of a dump of which only the beginning is read: the kernel fills the next datagram already as one is taken, and no more than this.
constexpr size_t kHeadSize = 8 << 10;
constexpr int kDumpTries = 4;
constexpr int kLoopback = 1;

class Asker {
 public:
  explicit Asker(Sys& sys) : sys_(sys), buffer_(new char[kBufferSize]) {}  // not zeroed: this is on the way to the reflex

  /// The whole answer. `optional`: what the kernel was built without is empty.
  void ask(Request request, const FactSink& sink, bool optional = false) {
    if (!fd_) open();
    const int error = exchange(request, kBufferSize, [&](const Batch&) { return false; }, sink);
    if (error != 0 && !(optional && (error == EOPNOTSUPP || error == EAFNOSUPPORT || error == ENOENT))) refuse(error);
  }

  /**
   * An IPv4 table's dump begins with the routes to 0.0.0.0, of whatever length: the default ones, and the lower half. With 200,000 routes in the
   * table that beginning costs 0.05 ms and the whole 60 ms (14 ms filtered by a link that no route uses, without a single answer). The upper half
   * stands in the middle: it is looked for only where there is a lower one. False: only the head was read.
   */
  bool ask_ipv4_table(uint32_t table, const FactSink& sink) {
    // A dump that is not read to its end keeps its socket busy.
    open();
    if (!strict_) {
      ask(route_request(AF_INET), sink);
      return true;
    }
    bool has_half = false, is_whole = true;
    const FactSink look = [&](Fact&& fact) {
      if (const auto* route = std::get_if<Route>(&fact.what)) has_half |= route->prefix_length == 1;
      sink(std::move(fact));
    };
    const int error = exchange(route_request(AF_INET).with(RTA_TABLE, table), kHeadSize,
                               [&](const Batch& batch) {
                                 const bool is_enough = batch.past_zero && !has_half;
                                 if (is_enough) is_whole = false;
                                 return is_enough;
                               },
                               look);
    fd_.reset();
    if (error != 0 && error != ENOENT) refuse(error);
    return is_whole;
  }

  /// In IPv6 the default routes come last, and no filter leaves out the others: 200,000 routes take 150 ms.
  void ask_ipv6_table(uint32_t table, const FactSink& sink) {
    if (!fd_) open();
    // Where the kernel cannot filter it tells of all tables.
    ask(route_request(AF_INET6).with(RTA_TABLE, table), sink, true);
  }

  static Request route_request(uint8_t family) {
    rtmsg body{};
    body.rtm_family = family;
    return Request(RTM_GETROUTE, body, NLM_F_DUMP);
  }

  bool interrupted() const { return interrupted_; }

 private:
  void open() {
    fd_ = UniqueFd(sys_.socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
    if (!fd_) throw Error::from_errno(errno, "Cannot open a netlink socket");
    const timeval patience{1, 0};
    setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    // Linux 4.20: without it filters are passed over.
    const int on = 1;
    strict_ = setsockopt(fd_.get(), SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof on) == 0;
  }

  template <typename Enough>
  int exchange(Request& request, size_t buffer_size, Enough enough, const FactSink& sink) {
    nlmsghdr& header = request.header();
    header.nlmsg_seq = ++sequence_;
    const bool is_dump = (header.nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
    if (retry_eintr([&] { return sys_.send(fd_.get(), request.data(), request.size(), 0); }) < 0)
      throw Error::from_errno(errno, "Cannot ask the kernel for the state of the network");
    for (;;) {
      const ssize_t got = retry_eintr([&] { return sys_.recv(fd_.get(), buffer_.get(), buffer_size, 0); });
      if (got <= 0) throw Error::from_errno(got < 0 ? errno : EPROTO, "Cannot read the state of the network");
      const Batch batch = read_messages(buffer_.get(), static_cast<size_t>(got), sequence_, sink);
      if (batch.error != 0) return batch.error;
      interrupted_ |= batch.interrupted;
      if (batch.done || !is_dump || enough(batch)) return 0;
    }
  }

  [[noreturn]] static void refuse(int error) {
    throw Error::from_errno(error, "The kernel refuses to tell the state of the network");
  }

  Sys& sys_;
  UniqueFd fd_;
  const std::unique_ptr<char[]> buffer_;
  uint32_t sequence_ = 0;
  bool strict_ = false;
  bool interrupted_ = false;
};

Request nexthop_request() { return Request(RTM_GETNEXTHOP, nhmsg{}, NLM_F_DUMP); }

void ask_addresses(Asker& asker, const FactSink& sink) {
  asker.ask(Request(RTM_GETLINK, ifinfomsg{}, NLM_F_DUMP).with(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS), sink);
  asker.ask(Request(RTM_GETADDR, ifaddrmsg{}, NLM_F_DUMP), sink);
}

NetworkStore read_once(Sys& sys, bool& interrupted) {
  NetworkStore store;
  const FactSink sink = [&](Fact&& fact) { store.apply(std::move(fact)); };
  Asker asker(sys);
  ask_addresses(asker, sink);
  asker.ask(Request(RTM_GETRULE, fib_rule_hdr{}, NLM_F_DUMP), sink, true);
  asker.ask(nexthop_request(), sink, true);
  asker.ask(Asker::route_request(AF_INET6), sink, true);
  for (const uint32_t table : store.tables(AF_INET)) {
    if (!asker.ask_ipv4_table(table, sink)) store.note_head(table);
  }
  store.take_doubts();
  interrupted = asker.interrupted();
  return store;
}

}  // namespace

NetworkStore read_network(Sys& sys) {
  for (int attempt = 1;; attempt++) {
    bool interrupted = false;
    NetworkStore store = read_once(sys, interrupted);
    // Never consistent while things keep changing: what changes is told as well.
    if (!interrupted || attempt == kDumpTries) return store;
  }
}

NetworkStore read_addresses(Sys& sys) {
  NetworkStore store;
  Asker asker(sys);
  ask_addresses(asker, [&](Fact&& fact) { store.apply(std::move(fact)); });
  return store;
}

void wait_for_changes_under_way(Sys& sys) {
  // The kernel answers for a single link only with the lock that every change holds to its end.
  ifinfomsg body{};
  body.ifi_index = kLoopback;
  Asker(sys).ask(Request(RTM_GETLINK, body, 0), [](Fact&&) {});
}

NetworkStore read_doubtful(Sys& sys, const Doubts& doubts) {
  NetworkStore store;
  const FactSink sink = [&](Fact&& fact) { store.apply(std::move(fact)); };
  Asker asker(sys);
  if (doubts.nexthops) asker.ask(nexthop_request(), sink, true);
  for (const auto& [family, table] : doubts.tables) {
    if (family == AF_INET6) asker.ask_ipv6_table(table, sink);
    else if (!asker.ask_ipv4_table(table, sink)) store.note_head(table);
  }
  store.take_doubts();
  return store;
}

}  // namespace sockmon
