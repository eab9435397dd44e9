// What the kernel tells of a network namespace, one fact for each message: links, addresses, default-like routes, rules, nexthop objects.
#pragma once
#include <net/if.h>
#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace sockmon {

struct IpAddress {
  /// AF_UNSPEC: none.
  uint8_t family = AF_UNSPEC;
  std::array<uint8_t, 16> bytes{};

  bool any() const { return family != AF_UNSPEC; }
  /// "10.0.2.100"; "" for none.
  std::string text() const;
};
inline bool operator==(const IpAddress& a, const IpAddress& b) { return a.family == b.family && a.bytes == b.bytes; }
inline bool operator!=(const IpAddress& a, const IpAddress& b) { return !(a == b); }
/// Whether two addresses of one family begin with the same `bits`.
bool same_prefix(const IpAddress& a, const IpAddress& b, unsigned bits);

struct Link {
  int index = 0;
  std::string name;
  std::vector<std::string> altnames;
  /// Of IFLA_INFO_KIND: "veth", "bridge", "tun"; "" for hardware.
  std::string kind;
  unsigned flags = 0;
  /// The bridge, bond or VRF that it is a port of; 0: none.
  int master = 0;
  /// What it stands on (VLAN, macvlan); 0: nothing, or something in another namespace.
  int lower = 0;
  bool lower_elsewhere = false;
  /// Of a VRF; 0: it is none.
  uint32_t vrf_table = 0;

  bool up() const { return (flags & IFF_UP) != 0; }
  bool carrier() const { return (flags & kLowerUp) != 0; }
  /// For IPv4 and nexthop objects the kernel takes either flag for a carrier.
  bool runs() const { return (flags & (IFF_RUNNING | kLowerUp)) != 0; }

  /// IFF_LOWER_UP of <linux/if.h>, which cannot be included beside <net/if.h>.
  static constexpr unsigned kLowerUp = 1U << 16;
};

struct LinkAddress {
  int link = 0;
  IpAddress local;
  /// Of a point-to-point link; otherwise the same as `local`.
  IpAddress peer;
  uint8_t prefix_length = 0;
  /// RT_SCOPE_*
  uint8_t scope = 0;
  /// IFA_F_*, all 32 bits of them.
  uint32_t flags = 0;

  /// Of global scope, and neither waiting for the result of duplicate address detection nor refused by it.
  bool usable() const;
  /// Whether the other one is in its network, that of its peer on a point-to-point link.
  bool covers(const IpAddress& address) const { return same_prefix(peer, address, prefix_length); }
  /// "10.0.2.100/24"
  std::string text() const;
};

/// One way of a route. Its flags are RTNH_F_DEAD and RTNH_F_ONLINK; whether it has a carrier, its link says.
struct Hop {
  int link = 0;
  /// Of either family (an IPv4 route may go by an IPv6 gateway); none: whoever is meant is on the link.
  IpAddress gateway;
  uint8_t weight = 0;
  uint8_t flags = 0;
};

/// A route to everywhere, or to one half of it: 0.0.0.0/0, 0.0.0.0/1, 128.0.0.0/1, and the same in IPv6.
struct Route {
  uint8_t family = AF_INET;
  /// 0 or 1.
  uint8_t prefix_length = 0;
  /// The half that begins with a one.
  bool upper_half = false;
  /// Of an IPv6 route that is only for packets from there (`default from 2001:db8::/56`, as OpenWrt makes them); none: for all.
  IpAddress from;
  uint8_t from_length = 0;
  uint8_t tos = 0;
  uint32_t table = 0;
  uint32_t metric = 0;
  /// RTN_UNICAST, RTN_BLACKHOLE, RTN_UNREACHABLE, …: they replace each other.
  uint8_t type = 0;
  uint8_t protocol = 0;
  uint8_t scope = 0;
  /// ICMPV6_ROUTER_PREF_*
  uint8_t preference = 0;
  /// RTA_PREFSRC
  IpAddress source;
  /// Its hops are those of this nexthop object, and `hops` is empty; 0: none.
  uint32_t nexthop = 0;
  /// RTA_METRICS as it came: two routes may differ by that alone.
  std::string metrics;
  std::vector<Hop> hops;
};

struct Rule {
  uint8_t family = AF_INET;
  uint32_t priority = 0;
  /// 0: that of the VRF (`vrf`), or none.
  uint32_t table = 0;
  /// FR_ACT_*
  uint8_t action = 0;
  uint32_t mark = 0, mark_mask = 0;
  std::string incoming, outgoing;
  bool inverted = false;
  /// FRA_L3MDEV: the table is that of the VRF which the packet belongs to.
  bool vrf = false;
  bool has_source = false, has_destination = false;
  /// Routes with a prefix of this length or shorter are passed over (0: default routes); -1: none is.
  int suppressed_prefix_length = -1;
  /// All attributes as they came, which tell it from others.
  std::string content;
};

struct Nexthop {
  struct Member {
    uint32_t id = 0;
    uint8_t weight = 0;
  };
  uint32_t id = 0;
  uint8_t family = AF_UNSPEC;
  int link = 0;
  IpAddress gateway;
  bool blackhole = false;
  /// For the forwarding database of a bridge or VXLAN: no route may use it.
  bool fdb = false;
  uint8_t flags = 0;
  /// A group where it is not empty.
  std::vector<Member> members;
};

/// What becomes of routes with the same key is said by flags: nlmsg_flags of a message, as far as they say so.
enum class RouteVerb {
  /// Before those of the same key.
  prepend,
  append,
  /// Instead of the first of the same key.
  replace,
  /// It says only that it is there: a notice about an existing one.
  update,
};

struct Fact {
  std::variant<std::monostate, Link, LinkAddress, Route, Rule, Nexthop> what;
  bool gone = false;
  RouteVerb verb = RouteVerb::append;
};

}  // namespace sockmon
