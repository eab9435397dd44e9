// Bytes of a netlink message and its attributes: nothing in them is believed unchecked.
#pragma once
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include <cstddef>
#include <cstring>
#include <string>

#include "network/facts.h"

namespace sockmon {

struct Bytes {
  const char* data = nullptr;
  size_t size = 0;

  Bytes from(size_t offset) const { return offset >= size ? Bytes{data, 0} : Bytes{data + offset, size - offset}; }
  /// Copies, because nothing guarantees alignment.
  template <typename Value>
  bool get(Value& value) const {
    if (size < sizeof value) return false;
    memcpy(&value, data, sizeof value);
    return true;
  }
  /// 0 if it is too short.
  uint32_t number() const {
    uint32_t number = 0;
    get(number);
    return number;
  }
  /// Up to the terminating zero.
  std::string text() const { return std::string(data, strnlen(data, size)); }
  std::string all() const { return std::string(data, size); }
  /// None if it is of another length than an address of this family.
  IpAddress address(int family) const {
    IpAddress address;
    const size_t length = family == AF_INET ? 4 : family == AF_INET6 ? 16 : 0;
    if (length == 0 || size != length) return address;
    address.family = static_cast<uint8_t>(family);
    memcpy(address.bytes.data(), data, length);
    return address;
  }
};

inline bool is_ip(int family) { return family == AF_INET || family == AF_INET6; }

template <typename Visit>
void each_attribute(Bytes bytes, Visit visit) {
  rtattr header;
  while (bytes.get(header)) {
    if (header.rta_len < sizeof header || header.rta_len > bytes.size) return;
    visit(header.rta_type & NLA_TYPE_MASK, Bytes{bytes.data + sizeof header, header.rta_len - sizeof header});
    bytes = bytes.from(RTA_ALIGN(header.rta_len));
  }
}

}  // namespace sockmon
