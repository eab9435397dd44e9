#include "network/netlink_routing.h"

#include <linux/fib_rules.h>
#include <linux/nexthop.h>

namespace sockmon {
namespace {

/// Not RTNH_F_LINKDOWN, which is set and cleared without a word, now and then: that is the carrier of the link.
constexpr uint8_t kHopFlags = RTNH_F_DEAD | RTNH_F_ONLINK;
/// Whether the named interface exists just now: the kernel tells no change of that.
constexpr uint32_t kRuleStateFlags = FIB_RULE_UNRESOLVED | FIB_RULE_IIF_DETACHED | FIB_RULE_OIF_DETACHED;

IpAddress via(Bytes value) {
  uint16_t family = AF_UNSPEC;
  value.get(family);
  return value.from(sizeof family).address(family);
}

std::vector<Hop> read_hops(Bytes bytes, int family) {
  std::vector<Hop> hops;
  rtnexthop header;
  while (bytes.get(header)) {
    if (header.rtnh_len < sizeof header || header.rtnh_len > bytes.size) break;
    Hop hop;
    hop.link = header.rtnh_ifindex;
    hop.weight = header.rtnh_hops;
    hop.flags = header.rtnh_flags & kHopFlags;
    each_attribute(Bytes{bytes.data, header.rtnh_len}.from(RTNH_ALIGN(sizeof header)), [&](int type, Bytes value) {
      if (type == RTA_GATEWAY) hop.gateway = value.address(family);
      if (type == RTA_VIA) hop.gateway = via(value);
    });
    hops.push_back(hop);
    bytes = bytes.from(RTNH_ALIGN(header.rtnh_len));
  }
  return hops;
}

RouteVerb verb_of(uint16_t flags) {
  if ((flags & NLM_F_MULTI) != 0) return RouteVerb::append;
  if ((flags & NLM_F_REPLACE) != 0) return RouteVerb::replace;
  if ((flags & NLM_F_APPEND) != 0) return RouteVerb::append;
  return (flags & NLM_F_CREATE) != 0 ? RouteVerb::prepend : RouteVerb::update;
}

}  // namespace

bool read_route(Bytes body, uint16_t flags, Fact& fact) {
  rtmsg header;
  if (!body.get(header) || header.rtm_dst_len > 1 || !is_ip(header.rtm_family) || (header.rtm_flags & RTM_F_CLONED) != 0) return false;
  fact.verb = verb_of(flags);
  Route& route = fact.what.emplace<Route>();
  route.family = header.rtm_family;
  route.prefix_length = header.rtm_dst_len;
  route.from_length = header.rtm_src_len;
  route.tos = header.rtm_tos;
  route.table = header.rtm_table;
  route.type = header.rtm_type;
  route.protocol = header.rtm_protocol;
  route.scope = header.rtm_scope;
  Hop hop;
  hop.flags = header.rtm_flags & kHopFlags;
  each_attribute(body.from(NLMSG_ALIGN(sizeof header)), [&](int type, Bytes value) {
    switch (type) {
      case RTA_DST:
        route.upper_half = route.prefix_length == 1 && value.size > 0 && (value.data[0] & 0x80) != 0;
        break;
      case RTA_SRC:
        route.from = value.address(route.family);
        break;
      case RTA_TABLE:
        value.get(route.table);
        break;
      case RTA_PRIORITY:
        value.get(route.metric);
        break;
      case RTA_PREFSRC:
        route.source = value.address(route.family);
        break;
      case RTA_PREF:
        value.get(route.preference);
        break;
      case RTA_METRICS:
        route.metrics = value.all();
        break;
      case RTA_NH_ID:
        value.get(route.nexthop);
        break;
      case RTA_OIF:
        value.get(hop.link);
        break;
      case RTA_GATEWAY:
        hop.gateway = value.address(route.family);
        break;
      case RTA_VIA:
        hop.gateway = via(value);
        break;
      case RTA_MULTIPATH:
        route.hops = read_hops(value, route.family);
        break;
      default:
        break;
    }
  });
  // With net.ipv4.nexthop_compat_mode the object's hops are told as the route's own, and become old when the object changes.
  // A blackhole is shown as the route's type, which it is not: the object may be replaced.
  if (route.nexthop != 0) {
    route.hops.clear();
    if (route.type == RTN_BLACKHOLE) route.type = RTN_UNICAST;
  } else if (route.hops.empty() && hop.link != 0) {
    route.hops.push_back(hop);
  }
  return true;
}

bool read_rule(Bytes body, Fact& fact) {
  fib_rule_hdr header;
  if (!body.get(header) || !is_ip(header.family)) return false;
  Rule& rule = fact.what.emplace<Rule>();
  rule.family = header.family;
  rule.table = header.table;
  rule.action = header.action;
  rule.inverted = (header.flags & FIB_RULE_INVERT) != 0;
  rule.has_source = header.src_len != 0;
  rule.has_destination = header.dst_len != 0;
  header.flags &= ~kRuleStateFlags;
  rule.content.assign(reinterpret_cast<const char*>(&header), sizeof header);
  const Bytes attributes = body.from(NLMSG_ALIGN(sizeof header));
  rule.content.append(attributes.data, attributes.size);
  each_attribute(attributes, [&](int type, Bytes value) {
    switch (type) {
      case FRA_PRIORITY:
        value.get(rule.priority);
        break;
      case FRA_TABLE:
        value.get(rule.table);
        break;
      case FRA_FWMARK:
        value.get(rule.mark);
        break;
      case FRA_FWMASK:
        value.get(rule.mark_mask);
        break;
      case FRA_IIFNAME:
        rule.incoming = value.text();
        break;
      case FRA_OIFNAME:
        rule.outgoing = value.text();
        break;
      case FRA_L3MDEV:
        rule.vrf = value.size > 0 && value.data[0] != 0;
        break;
      case FRA_SUPPRESS_PREFIXLEN:
        rule.suppressed_prefix_length = static_cast<int>(value.number());
        break;
      default:
        break;
    }
  });
  return true;
}

bool read_nexthop(Bytes body, Fact& fact) {
  nhmsg header;
  if (!body.get(header)) return false;
  Nexthop& nexthop = fact.what.emplace<Nexthop>();
  nexthop.family = header.nh_family;
  nexthop.flags = header.nh_flags & kHopFlags;
  each_attribute(body.from(NLMSG_ALIGN(sizeof header)), [&](int type, Bytes value) {
    switch (type) {
      case NHA_ID:
        value.get(nexthop.id);
        break;
      case NHA_OIF:
        value.get(nexthop.link);
        break;
      case NHA_GATEWAY:
        nexthop.gateway = value.address(header.nh_family);
        break;
      case NHA_BLACKHOLE:
        nexthop.blackhole = true;
        break;
      case NHA_FDB:
        nexthop.fdb = true;
        break;
      case NHA_GROUP:
        for (nexthop_grp member; value.get(member); value = value.from(sizeof member))
          nexthop.members.push_back({member.id, member.weight});
        break;
      default:
        break;
    }
  });
  return nexthop.id != 0;
}

bool leads_elsewhere(Bytes body) {
  rtmsg header;
  if (!body.get(header) || header.rtm_dst_len == 0) return false;
  bool elsewhere = false;
  each_attribute(body.from(NLMSG_ALIGN(sizeof header)), [&](int type, Bytes value) {
    if (type == RTA_DST) elsewhere = value.address(header.rtm_family).bytes != IpAddress().bytes;
  });
  return elsewhere;
}

}  // namespace sockmon
