#include "sensors/link_judge.h"

#include <algorithm>

namespace sockmon {
namespace {

/// A VLAN on a VLAN on a bridge.
constexpr int kMostFloors = 8;

/// The other end of a veth is no floor below it.
const Link* lower_of(const NetworkStore& network, const Link& link) {
  return link.kind == "veth" || link.lower_elsewhere || link.lower == 0 ? nullptr : network.find(link.lower);
}

bool has_lost_its_stack(const NetworkStore& network, const Link& link, int floors) {
  if (link.carrier() || floors == 0) return false;
  if (link.kind == "tun") return true;
  if (link.kind == "bridge") {
    bool has_port = false;
    for (const auto& [index, port] : network.links()) {
      if (port.master != link.index) continue;
      if (!has_lost_its_stack(network, port, floors - 1)) return false;
      has_port = true;
    }
    return has_port;
  }
  const Link* lower = lower_of(network, link);
  return lower != nullptr && has_lost_its_stack(network, *lower, floors - 1);
}

/// A VLAN goes down with it; a macvlan or ipvlan stays up, and tells of nothing but its carrier. Ports of a bridge come and go.
bool has_lost_its_floor(const NetworkStore& network, const Link& link) {
  const Link* upper = &link;
  for (int floors = kMostFloors; floors > 0 && !upper->carrier(); floors--) {
    const Link* lower = lower_of(network, *upper);
    if (lower == nullptr) return false;
    if (!lower->up()) return true;
    upper = lower;
  }
  return false;
}

}  // namespace

const Reason* lost_below(const NetworkStore& network, const Link& link) {
  if (has_lost_its_stack(network, link, kMostFloors)) return &kStackGone;
  return has_lost_its_floor(network, link) ? &kLowerDown : nullptr;
}

LinkSight sight_of(const NetworkStore& network, int index, const std::string& name) {
  LinkSight sight;
  sight.index = index;
  sight.interface = name;
  const Link* link = network.find(index);
  if (link == nullptr) {
    sight.missing = &kInterfaceGone;
    return sight;
  }
  sight.interface = link->name;
  sight.carrier = link->carrier();
  sight.addresses = network.usable_addresses(index);
  sight.missing = link->up() ? lost_below(network, *link) : &kInterfaceDown;
  return sight;
}

bool has_given_address(const NetworkStore& network, int link, int family) {
  const auto& addresses = network.addresses_of(link);
  return std::any_of(addresses.begin(), addresses.end(), [&](const LinkAddress& address) {
    return address.local.family == family && address.usable() && is_given(address.local);
  });
}

bool is_given(const IpAddress& address) {
  const auto& bytes = address.bytes;
  switch (address.family) {
    case AF_INET:
      return !(bytes[0] == 169 && bytes[1] == 254) && (bytes[0] | bytes[1] | bytes[2] | bytes[3]) != 0;
    case AF_INET6:
      return !(bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80) && std::any_of(bytes.begin(), bytes.end(), [](uint8_t byte) { return byte != 0; });
    default:
      return false;
  }
}

}  // namespace sockmon
