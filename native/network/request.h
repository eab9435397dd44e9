// A request to rtnetlink(7): the header of its kind, and attributes behind it.
#pragma once
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include <cstdint>
#include <cstring>

namespace sockmon {

class Request {
 public:
  template <typename Body>
  Request(int type, const Body& body, int flags) {
    static_assert(NLMSG_LENGTH(sizeof body) <= kHeadSize);
    nlmsghdr& head = header();
    head.nlmsg_len = static_cast<uint32_t>(NLMSG_LENGTH(sizeof body));
    head.nlmsg_type = static_cast<uint16_t>(type);
    head.nlmsg_flags = static_cast<uint16_t>(NLM_F_REQUEST | flags);
    memcpy(bytes_ + NLMSG_HDRLEN, &body, sizeof body);
  }
  /// At most five of them, of 16 bytes each.
  Request& with(int type, const void* value, size_t size) {
    const rtattr attribute{static_cast<uint16_t>(RTA_LENGTH(size)), static_cast<uint16_t>(type)};
    nlmsghdr& head = header();
    char* const end = bytes_ + NLMSG_ALIGN(head.nlmsg_len);
    memcpy(end, &attribute, sizeof attribute);
    memcpy(end + RTA_LENGTH(0), value, size);
    head.nlmsg_len = static_cast<uint32_t>(NLMSG_ALIGN(head.nlmsg_len) + RTA_SPACE(size));
    return *this;
  }
  Request& with(int type, uint32_t value) { return with(type, &value, sizeof value); }

  nlmsghdr& header() { return *reinterpret_cast<nlmsghdr*>(bytes_); }
  const void* data() const { return bytes_; }
  size_t size() const { return reinterpret_cast<const nlmsghdr*>(bytes_)->nlmsg_len; }

 private:
  static constexpr size_t kHeadSize = 40;

  alignas(nlmsghdr) char bytes_[kHeadSize + 5 * RTA_SPACE(16)] = {};
};

}  // namespace sockmon
