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

bool LinkAddress::usable() const {
  const bool tentative = (flags & IFA_F_TENTATIVE) != 0 && (flags & IFA_F_OPTIMISTIC) == 0;
  return scope == RT_SCOPE_UNIVERSE && !tentative && (flags & IFA_F_DADFAILED) == 0;
}

std::string LinkAddress::text() const { return local.text() + "/" + std::to_string(prefix_length); }

}  // namespace sockmon
