#include "network/network_state.h"

namespace sockmon {
namespace {

/// AF_UNSPEC stands for any family.
template <typename Entry>
bool any_of(const std::vector<Entry>& entries, int index, int family) {
  for (const Entry& entry : entries) {
    if (entry.interface == index && (family == AF_UNSPEC || entry.family == family)) return true;
  }
  return false;
}

}  // namespace

const Interface* NetworkState::find(const std::string& name) const {
  for (const Interface& interface : interfaces) {
    if (interface.name == name) return &interface;
  }
  return nullptr;
}

const Interface* NetworkState::find(int index) const {
  for (const Interface& interface : interfaces) {
    if (interface.index == index) return &interface;
  }
  return nullptr;
}

bool NetworkState::has_address(int index, int family) const { return any_of(addresses, index, family); }

bool NetworkState::has_route(int index, int family) const { return any_of(routes, index, family); }

std::vector<std::string> NetworkState::addresses_of(int index) const {
  std::vector<std::string> texts;
  for (const Address& address : addresses) {
    if (address.interface == index) texts.push_back(address.text);
  }
  return texts;
}

}  // namespace sockmon
