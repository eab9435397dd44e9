#include "system/reboot.h"

#include <cerrno>
#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <system_error>
#include <thread>

namespace sockmon {
namespace {

/// Does it on a thread of its own, which may never come back; nothing: it has not, so far. Without a thread to be had: here.
std::optional<int> within(double limit_ms, const std::function<int()>& action, bool is_needed) {
  try {
    auto result = std::make_shared<std::promise<int>>();
    std::future<int> done = result->get_future();
    std::thread([action, result = std::move(result)] { result->set_value(action()); }).detach();
    if (done.wait_for(std::chrono::duration<double, std::milli>(limit_ms)) == std::future_status::timeout) return std::nullopt;
    return done.get();
  } catch (const std::system_error&) {
    return is_needed ? std::optional(action()) : std::nullopt;
  }
}

}  // namespace

int reboot_machine(Sys& sys, const RebootLimits& limits, bool may_reset) {
  // Better without a sync than not at all.
  within(limits.sync_ms, [&sys] {
    sys.sync();
    return 0;
  }, false);
  const auto refused = within(limits.reboot_ms, [&sys] { return sys.reboot() == 0 ? 0 : errno; }, true);
  if (refused) return *refused;
  if (!may_reset) return ETIMEDOUT;
  return sys.reset() == 0 ? 0 : errno;
}

}  // namespace sockmon
