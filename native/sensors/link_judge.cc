#include "sensors/link_judge.h"

#include <algorithm>

namespace sockmon {
namespace {

/// A VLAN on a VLAN on a bridge.
constexpr int kMostFloors = 8;

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
  // The other end of a veth is no floor below it.
  const Link* lower = link.kind == "veth" || link.lower_elsewhere || link.lower == 0 ? nullptr : network.find(link.lower);
  return lower != nullptr && has_lost_its_stack(network, *lower, floors - 1);
}

}  // namespace

bool has_lost_its_stack(const NetworkStore& network, const Link& link) {
  return has_lost_its_stack(network, link, kMostFloors);
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
  if (!link->up()) sight.missing = &kInterfaceDown;
  else if (has_lost_its_stack(network, *link)) sight.missing = &kStackGone;
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
