// Messages that tell of routing: routes, rules and nexthop objects. Each reader gives false where there is nothing to keep.
#pragma once
#include "network/attributes.h"
#include "network/facts.h"

namespace sockmon {

/// `flags`: nlmsg_flags. Routes to anywhere but "everywhere" come in floods: of those nothing but the header is looked at.
bool read_route(Bytes body, uint16_t flags, Fact& fact);
bool read_rule(Bytes body, Fact& fact);
bool read_nexthop(Bytes body, Fact& fact);

/// Whether it is a route to a destination that does not begin with 0.0.0.0.
bool leads_elsewhere(Bytes route);

}  // namespace sockmon
