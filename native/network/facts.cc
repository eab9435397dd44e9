#include "network/facts.h"

#include <arpa/inet.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>

namespace sockmon {

std::string IpAddress::text() const {
  char text[INET6_ADDRSTRLEN] = "";
  if (any()) inet_ntop(family, bytes.data(), text, sizeof text);
  return text;
}

bool same_prefix(const IpAddress& a, const IpAddress& b, unsigned bits) {
  if (a.family != b.family) return false;
  for (unsigned bit = 0; bit < bits && bit < 8 * a.bytes.size(); bit++) {
    if (((a.bytes[bit / 8] ^ b.bytes[bit / 8]) & (0x80U >> bit % 8)) != 0) return false;
  }
  return true;
}

bool LinkAddress::usable() const {
  const bool tentative = (flags & IFA_F_TENTATIVE) != 0 && (flags & IFA_F_OPTIMISTIC) == 0;
  return scope == RT_SCOPE_UNIVERSE && !tentative && (flags & IFA_F_DADFAILED) == 0;
}

std::string LinkAddress::text() const { return local.text() + "/" + std::to_string(prefix_length); }

}  // namespace sockmon
