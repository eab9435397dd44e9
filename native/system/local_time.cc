#include "system/local_time.h"

#include <cmath>
#include <ctime>

namespace sockmon {

std::string time_of_day(double wall_ms) {
  // 285,000 years; a conversion of more would be undefined.
  constexpr double kMostMs = 9e15;
  if (!(std::abs(wall_ms) <= kMostMs)) return "";
  const auto seconds = static_cast<time_t>(std::floor(wall_ms / 1000));
  // localtime_r(3) need not look whether the time zone has been changed.
  tzset();
  tm local{};
  char text[sizeof "hh:mm:ss"];
  if (localtime_r(&seconds, &local) == nullptr || strftime(text, sizeof text, "%H:%M:%S", &local) == 0) return "";
  return text;
}

}  // namespace sockmon
