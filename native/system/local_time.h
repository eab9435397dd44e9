// The time of day where the gateway stands.
#pragma once
#include <string>

namespace sockmon {

/**
 * "07:03:12" for milliseconds of the wall clock, by /etc/localtime or $TZ (tzset(3)), as they are now; "" beyond the years that the C library knows.
 * JavaScript's own answer comes from ICU, whose tables take 2.3 MB of a daemon's memory for as long as it lives (Node 20.20).
 */
std::string time_of_day(double wall_ms);

}  // namespace sockmon
