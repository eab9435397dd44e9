// The parsing half of netlink.h: bytes in, facts out, nothing believed unchecked. What tells of routing is in netlink_routing.cc.
#include <linux/if_addr.h>
#include <linux/if_link.h>

#include <cerrno>

#include "network/attributes.h"
#include "network/netlink.h"
#include "network/netlink_routing.h"

namespace sockmon {
namespace {

void read_link_info(Bytes bytes, Link& link) {
  Bytes data;
  each_attribute(bytes, [&](int type, Bytes value) {
    if (type == IFLA_INFO_KIND) link.kind = value.text();
    if (type == IFLA_INFO_DATA) data = value;
  });
  if (link.kind != "vrf") return;
  each_attribute(data, [&](int type, Bytes value) {
    if (type == IFLA_VRF_TABLE) link.vrf_table = value.number();
  });
}

/// Of these IFLA_LINK is the other end, which is no support, and which the end that is made first does not tell of.
bool is_pair(const std::string& kind) { return kind == "veth" || kind == "netkit" || kind == "vxcan"; }

bool read_link(Bytes body, bool gone, Fact& fact) {
  ifinfomsg header;
  // AF_BRIDGE messages tell of a port's state in its bridge, not of the interface.
  if (!body.get(header) || header.ifi_family != AF_UNSPEC || header.ifi_index <= 0) return false;
  Link& link = fact.what.emplace<Link>();
  link.index = header.ifi_index;
  if (gone) return true;
  link.flags = header.ifi_flags;
  each_attribute(body.from(NLMSG_ALIGN(sizeof header)), [&](int type, Bytes value) {
    switch (type) {
      case IFLA_IFNAME:
        link.name = value.text();
        break;
      case IFLA_MASTER:
        link.master = static_cast<int>(value.number());
        break;
      case IFLA_LINK:
        link.lower = static_cast<int>(value.number());
        break;
      case IFLA_LINK_NETNSID:
        link.lower_elsewhere = true;
        break;
      case IFLA_LINKINFO:
        read_link_info(value, link);
        break;
      case IFLA_PROP_LIST:
        each_attribute(value, [&](int property, Bytes name) {
          if (property == IFLA_ALT_IFNAME) link.altnames.push_back(name.text());
        });
        break;
      default:
        break;
    }
  });
  if (is_pair(link.kind)) link.lower_elsewhere = false;
  if (link.lower_elsewhere || is_pair(link.kind) || link.lower == link.index) link.lower = 0;
  return !link.name.empty();
}

bool read_address(Bytes body, Fact& fact) {
  ifaddrmsg header;
  if (!body.get(header) || !is_ip(header.ifa_family)) return false;
  LinkAddress& address = fact.what.emplace<LinkAddress>();
  address.link = static_cast<int>(header.ifa_index);
  address.prefix_length = header.ifa_prefixlen;
  address.scope = header.ifa_scope;
  address.flags = header.ifa_flags;
  each_attribute(body.from(NLMSG_ALIGN(sizeof header)), [&](int type, Bytes value) {
    if (type == IFA_LOCAL) address.local = value.address(header.ifa_family);
    if (type == IFA_ADDRESS) address.peer = value.address(header.ifa_family);
    if (type == IFA_FLAGS) value.get(address.flags);
  });
  if (!address.local.any()) address.local = address.peer;
  if (!address.peer.any()) address.peer = address.local;
  return address.local.any();
}

/// False: it tells of nothing that is kept.
bool read_fact(const nlmsghdr& header, Bytes body, Fact& fact) {
  switch (header.nlmsg_type) {
    case RTM_NEWLINK:
    case RTM_DELLINK:
      fact.gone = header.nlmsg_type == RTM_DELLINK;
      return read_link(body, fact.gone, fact);
    case RTM_NEWADDR:
    case RTM_DELADDR:
      fact.gone = header.nlmsg_type == RTM_DELADDR;
      return read_address(body, fact);
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
      fact.gone = header.nlmsg_type == RTM_DELROUTE;
      return read_route(body, header.nlmsg_flags, fact);
    case RTM_NEWRULE:
    case RTM_DELRULE:
      fact.gone = header.nlmsg_type == RTM_DELRULE;
      return read_rule(body, fact);
    case RTM_NEWNEXTHOP:
    case RTM_DELNEXTHOP:
      fact.gone = header.nlmsg_type == RTM_DELNEXTHOP;
      return read_nexthop(body, fact);
    default:
      return false;
  }
}

void read_message(const nlmsghdr& header, Bytes body, Batch& batch, const FactSink& sink) {
  if (header.nlmsg_type == NLMSG_DONE) {
    int status = 0;
    if (body.get(status) && status < 0) batch.error = -status;
    batch.done = true;
  } else if (header.nlmsg_type == NLMSG_ERROR) {
    nlmsgerr error{};
    batch.error = body.get(error) ? -error.error : EBADMSG;
  } else {
    if (header.nlmsg_type == RTM_NEWROUTE && !batch.past_zero) batch.past_zero = leads_elsewhere(body);
    Fact fact;
    if (read_fact(header, body, fact)) sink(std::move(fact));
  }
}

}  // namespace

Batch read_messages(const void* data, size_t size, uint32_t sequence, const FactSink& sink) {
  Batch batch;
  Bytes bytes{static_cast<const char*>(data), size};
  nlmsghdr header;
  while (bytes.size > 0 && !batch.done && batch.error == 0) {
    if (!bytes.get(header) || header.nlmsg_len < sizeof header || header.nlmsg_len > bytes.size) {
      batch.error = EBADMSG;
      break;
    }
    // Anything else is the rest of an earlier dump.
    if (sequence == 0 || header.nlmsg_seq == sequence) {
      if ((header.nlmsg_flags & NLM_F_DUMP_INTR) != 0) batch.interrupted = true;
      read_message(header, Bytes{bytes.data + NLMSG_HDRLEN, header.nlmsg_len - NLMSG_HDRLEN}, batch, sink);
    }
    bytes = bytes.from(NLMSG_ALIGN(header.nlmsg_len));
  }
  return batch;
}

}  // namespace sockmon
