// Where a packet would go by one routing table, as the store knows it: the kernel can be asked only for what its rules choose by themselves.
#pragma once
#include <optional>

#include "network/lookup.h"
#include "network/store.h"

namespace sockmon {

/**
 * By the table's routes to everywhere and to halves of it, as the kernel chooses among them: the longest prefix, then the least metric, then the
 * first that has a hop which is not dead. What refuses is the end of the search. Nothing where no rule leads to the table, since no packet is
 * routed by it then; which packets a rule means is not looked at. `kept`: the link to be taken where a route has several ways, if it is one of
 * them; of those, as of others, one with a carrier is better.
 */
std::optional<Path> find_in_table(const NetworkStore& network, uint32_t table, const IpAddress& to, int kept);

}  // namespace sockmon
