// Links, addresses, default-like routes, rules and nexthop objects of a network namespace, kept by the kernel's own messages. Pure.
#pragma once
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "network/facts.h"

namespace sockmon {

/// What a message has changed: bits, because the end of a link takes routes along.
struct Change {
  enum : unsigned {
    kNothing = 0,
    kLink = 1,
    kAddress = 2,
    kRoute = 4,
    kRule = 8,
    kNexthop = 16,
    /// Something follows by a rule of ours, or does not fit what was known: the kernel should be asked (`take_doubts`).
    kConfirm = 32,
  };
  unsigned what = kNothing;
  /// The link that it was about, and 0 if it was about none.
  int link = 0;

  bool any() const { return what != kNothing; }
};

/// What the kernel should be asked about.
struct Doubts {
  /// Family and table.
  std::set<std::pair<uint8_t, uint32_t>> tables;
  bool nexthops = false;

  bool any() const { return nexthops || !tables.empty(); }
  void add(const Doubts& others);
};

/// A unicast default route of the main table, one for each hop that is not dead.
struct DefaultRoute {
  int link = 0;
  int family = AF_INET;
  uint32_t metric = 0;
};

/**
 * The kernel's messages are facts, and they come in the order in which things have happened. What it does not say follows by rule: IPv4
 * routes go silently with their link, with its last address and with the address that they name as their source, IPv6 routes silently lose
 * hops, and both go with their nexthop object, which goes with the carrier. A message that is told for the second time changes nothing, so that a
 * dump may be followed by what was told while it was made.
 */
class NetworkStore {
 public:
  /// Default routes of one destination, metric and type of service, in the kernel's order: replaced and deleted among each other.
  struct RouteKey {
    uint8_t family = AF_INET;
    uint32_t table = 0;
    uint8_t prefix_length = 0;
    bool upper_half = false;
    uint8_t from_length = 0;
    std::array<uint8_t, 16> from{};
    uint32_t metric = 0;
    uint8_t tos = 0;

    auto tie() const { return std::tie(family, table, prefix_length, upper_half, from_length, from, metric, tos); }
    bool operator<(const RouteKey& other) const { return tie() < other.tie(); }
  };
  using Routes = std::map<RouteKey, std::vector<Route>>;

  Change apply(Fact fact);
  /// What has become doubtful since the last call.
  Doubts take_doubts();

  const Link* find(int index) const;
  /// By its name, not by an alternative one.
  const Link* find(const std::string& name) const;
  const std::unordered_map<int, Link>& links() const { return links_; }
  /// Of one link, in the order in which they came; nothing for an unknown one.
  const std::vector<LinkAddress>& addresses_of(int link) const;
  bool has_usable_address(int link, int family) const;
  /// Those that are usable, as text.
  std::vector<std::string> usable_addresses(int link) const;
  const Routes& routes() const { return routes_; }
  /// The hops of a route: its own, or those of its nexthop object, through groups.
  std::vector<Hop> hops_of(const Route& route) const;
  /// Best first: IPv4 before IPv6, then by metric.
  const std::vector<DefaultRoute>& default_routes() const;
  /// AF_UNSPEC stands for any family.
  bool has_default_route(int link, int family) const;
  const std::vector<Rule>& rules() const { return rules_; }
  const std::map<uint32_t, Nexthop>& nexthops() const { return nexthops_; }
  /// Tables that a packet may be routed by: main, default and local, those that rules name and those of VRFs.
  std::set<uint32_t> tables(uint8_t family) const;

  /// Of this IPv4 table only the head was read, in which a lone upper half is not.
  void note_head(uint32_t table) { heads_.insert(table); }
  /// Adds what was not read of those tables, as `kept` has it.
  void add_unread(const NetworkStore& kept);
  /// What was doubtful is now as it was read.
  void take_over(const NetworkStore& read, const Doubts& doubts);

 private:
  Change apply_link(Link link, bool gone);
  Change apply_address(const LinkAddress& address, bool gone);
  Change apply_route(Route route, bool gone, RouteVerb verb);
  Change apply_rule(const Rule& rule, bool gone);
  Change apply_nexthop(const Nexthop& nexthop, bool gone);

  // store_routes.cc
  bool add_ipv4(Route route, RouteVerb verb);
  bool add_ipv6(Route route, RouteVerb verb);
  bool remove_ipv4(const Route& route);
  bool remove_ipv6(const Route& route);

  // consequences.cc: what the kernel does without a word. Each gives bits of Change.
  unsigned follow_flags(const Link& link, unsigned before);
  unsigned links_hops_down(int link, bool is_unregistered, bool forced);
  unsigned links_hops_up(uint8_t family, int link);
  unsigned address_gone(const LinkAddress& address);
  unsigned flush_nexthops(int link);
  unsigned nexthop_gone(uint32_t id);
  /// Lets `visit` change each route; where it returns true the route is removed. `visit` says by its second argument that it has changed it.
  template <typename Visit>
  unsigned each_route(uint8_t family, Visit visit);

  void add_names(const Link& link);
  void remove_names(const Link& link);
  void doubt(uint8_t family, uint32_t table) { doubts_.tables.emplace(family, table); }

  std::unordered_map<int, Link> links_;
  std::unordered_map<std::string, int> names_;
  std::unordered_map<int, std::vector<LinkAddress>> addresses_;
  Routes routes_;
  std::vector<Rule> rules_;
  std::map<uint32_t, Nexthop> nexthops_;
  Doubts doubts_;
  std::set<uint32_t> heads_;
  mutable std::vector<DefaultRoute> default_routes_;
  mutable bool default_routes_known_ = false;
};

NetworkStore::RouteKey key_of(const Route& route);
/// Whether they are the same route to the kernel: all but what it changes by itself (the state of hops).
bool same_route(const Route& a, const Route& b);
/// The same, and with hops in the same state.
bool equal(const Route& a, const Route& b);
bool equal(const Link& a, const Link& b);
bool equal(const LinkAddress& a, const LinkAddress& b);
bool equal(const Nexthop& a, const Nexthop& b);

}  // namespace sockmon
