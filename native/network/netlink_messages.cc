// The parsing half of netlink.h: bytes in, facts out, nothing believed unchecked.
#include <arpa/inet.h>
#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include <cerrno>
#include <cstring>

#include "network/netlink.h"

namespace sockmon {
namespace {

struct Bytes {
  const char* data;
  size_t size;

  Bytes from(size_t offset) const { return offset >= size ? Bytes{data, 0} : Bytes{data + offset, size - offset}; }
  /// Copies, because nothing guarantees alignment.
  template <typename Value>
  bool get(Value& value) const {
    if (size < sizeof value) return false;
    memcpy(&value, data, sizeof value);
    return true;
  }
};

template <typename Visit>
void each_attribute(Bytes bytes, Visit visit) {
  rtattr header;
  while (bytes.get(header)) {
    if (header.rta_len < sizeof header || header.rta_len > bytes.size) return;
    visit(header.rta_type & NLA_TYPE_MASK, Bytes{bytes.data + sizeof header, header.rta_len - sizeof header});
    bytes = bytes.from(RTA_ALIGN(header.rta_len));
  }
}

void read_link(Bytes body, NetworkState& state) {
  ifinfomsg link;
  // AF_BRIDGE messages tell of a port's state in its bridge, not of the interface.
  if (!body.get(link) || link.ifi_family != AF_UNSPEC) return;
  Interface interface;
  interface.index = link.ifi_index;
  interface.flags = link.ifi_flags;
  each_attribute(body.from(NLMSG_ALIGN(sizeof link)), [&](int type, Bytes value) {
    if (type == IFLA_IFNAME) interface.name.assign(value.data, strnlen(value.data, value.size));
  });
  if (!interface.name.empty()) state.interfaces.push_back(std::move(interface));
}

void read_address(Bytes body, NetworkState& state) {
  ifaddrmsg header;
  if (!body.get(header) || header.ifa_scope != RT_SCOPE_UNIVERSE) return;
  if (header.ifa_family != AF_INET && header.ifa_family != AF_INET6) return;
  const size_t size = header.ifa_family == AF_INET ? 4 : 16;
  uint32_t flags = header.ifa_flags;
  char raw[16] = {};
  bool found = false;
  each_attribute(body.from(NLMSG_ALIGN(sizeof header)), [&](int type, Bytes value) {
    // IFA_ADDRESS is the peer's on a point-to-point link: IFA_LOCAL wins, and comes after it or alone.
    if (type == IFA_LOCAL || (type == IFA_ADDRESS && !found)) {
      if (value.size != size) return;
      memcpy(raw, value.data, size);
      found = true;
    } else if (type == IFA_FLAGS) {
      value.get(flags);
    }
  });
  const bool tentative = (flags & IFA_F_TENTATIVE) != 0 && (flags & IFA_F_OPTIMISTIC) == 0;
  const bool unusable = tentative || (flags & IFA_F_DADFAILED) != 0;
  char text[INET6_ADDRSTRLEN];
  if (!found || unusable || inet_ntop(header.ifa_family, raw, text, sizeof text) == nullptr) return;
  state.addresses.push_back({static_cast<int>(header.ifa_index), header.ifa_family,
                             std::string(text) + "/" + std::to_string(header.ifa_prefixlen)});
}

void read_hops(Bytes bytes, DefaultRoute route, NetworkState& state) {
  rtnexthop hop;
  while (bytes.get(hop)) {
    if (hop.rtnh_len < sizeof hop || hop.rtnh_len > bytes.size) return;
    route.interface = hop.rtnh_ifindex;
    if ((hop.rtnh_flags & RTNH_F_DEAD) == 0) state.routes.push_back(route);
    bytes = bytes.from(RTNH_ALIGN(hop.rtnh_len));
  }
}

void read_route(Bytes body, NetworkState& state) {
  rtmsg header;
  if (!body.get(header) || header.rtm_dst_len != 0 || header.rtm_type != RTN_UNICAST) return;
  if (header.rtm_family != AF_INET && header.rtm_family != AF_INET6) return;
  if ((header.rtm_flags & (RTM_F_CLONED | RTNH_F_DEAD)) != 0) return;
  uint32_t table = header.rtm_table;
  DefaultRoute route;
  route.family = header.rtm_family;
  Bytes hops{nullptr, 0};
  each_attribute(body.from(NLMSG_ALIGN(sizeof header)), [&](int type, Bytes value) {
    if (type == RTA_OIF) value.get(route.interface);
    if (type == RTA_PRIORITY) value.get(route.metric);
    if (type == RTA_TABLE) value.get(table);
    if (type == RTA_MULTIPATH) hops = value;
  });
  if (table != RT_TABLE_MAIN) return;
  if (hops.data != nullptr) return read_hops(hops, route, state);
  if (route.interface != 0) state.routes.push_back(route);
}

/// Routes to anywhere but "everywhere" come in floods and change nothing here.
bool tells_of_default_route(Bytes body) {
  rtmsg header;
  return !body.get(header) || header.rtm_dst_len == 0;
}

void read_message(const nlmsghdr& header, Bytes body, Batch& batch, NetworkState& state) {
  switch (header.nlmsg_type) {
    case NLMSG_DONE: {
      int status = 0;
      if (body.get(status) && status < 0) batch.error = -status;
      batch.done = true;
      break;
    }
    case NLMSG_ERROR: {
      nlmsgerr error{};
      batch.error = body.get(error) ? -error.error : EBADMSG;
      break;
    }
    case RTM_NEWLINK:
      read_link(body, state);
      break;
    case RTM_NEWADDR:
      read_address(body, state);
      break;
    case RTM_NEWROUTE:
      read_route(body, state);
      break;
    default:
      break;
  }
  const bool route = header.nlmsg_type == RTM_NEWROUTE || header.nlmsg_type == RTM_DELROUTE;
  if (!route || tells_of_default_route(body)) batch.matters = true;
}

}  // namespace

Batch read_messages(const void* data, size_t size, uint32_t sequence, NetworkState& state) {
  Batch batch;
  Bytes bytes{static_cast<const char*>(data), size};
  nlmsghdr header;
  while (bytes.size > 0 && !batch.done && batch.error == 0) {
    if (!bytes.get(header) || header.nlmsg_len < sizeof header || header.nlmsg_len > bytes.size) {
      batch.error = EBADMSG;
      batch.matters = true;
      break;
    }
    // Anything else is the rest of an earlier dump.
    if (sequence == 0 || header.nlmsg_seq == sequence) {
      if ((header.nlmsg_flags & NLM_F_DUMP_INTR) != 0) batch.interrupted = true;
      read_message(header, Bytes{bytes.data + NLMSG_HDRLEN, header.nlmsg_len - NLMSG_HDRLEN}, batch, state);
    }
    bytes = bytes.from(NLMSG_ALIGN(header.nlmsg_len));
  }
  return batch;
}

}  // namespace sockmon
