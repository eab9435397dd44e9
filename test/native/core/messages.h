// Netlink messages as the kernel builds them.
#pragma once
#include <arpa/inet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include <cstring>
#include <string>

#include "check.h"

namespace sockmon {

/// Builds messages as the kernel does.
class Message {
 public:
  template <typename Body>
  Message(int type, const Body& body, uint16_t flags = 0, uint32_t sequence = 1) {
    nlmsghdr header{};
    header.nlmsg_type = static_cast<uint16_t>(type);
    header.nlmsg_flags = flags;
    header.nlmsg_seq = sequence;
    append(&header, sizeof header);
    append(&body, sizeof body);
    seal();
  }
  Message& attribute(int type, const void* data, size_t size) {
    const rtattr header{static_cast<uint16_t>(sizeof(rtattr) + size), static_cast<uint16_t>(type)};
    append(&header, sizeof header);
    append(data, size);
    seal();
    return *this;
  }
  Message& attribute(int type, uint32_t value) { return attribute(type, &value, sizeof value); }
  Message& attribute(int type, const char* text) { return attribute(type, text, strlen(text) + 1); }
  Message& address(int type, const char* text) {
    char raw[16];
    const bool v4 = strchr(text, ':') == nullptr;
    CHECK(inet_pton(v4 ? AF_INET : AF_INET6, text, raw) == 1);
    return attribute(type, raw, v4 ? 4 : 16);
  }
  const std::string& bytes() const { return bytes_; }

 private:
  void append(const void* data, size_t size) {
    bytes_.append(static_cast<const char*>(data), size);
    bytes_.resize(NLMSG_ALIGN(bytes_.size()));
  }
  void seal() {
    const auto size = static_cast<uint32_t>(bytes_.size());
    memcpy(bytes_.data(), &size, sizeof size);
  }
  std::string bytes_;
};

}  // namespace sockmon
