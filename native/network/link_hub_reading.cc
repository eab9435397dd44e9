// How the hub comes to know everything: at the start, and after messages were lost.
#include <chrono>

#include "base/error.h"
#include "network/link_hub.h"

namespace sockmon {
namespace {

/// After a reading that failed.
constexpr double kRetryMs = 1000;
/// Of whoever waits for the first reading: 200,000 routes take 0.2 s.
constexpr double kBeginMs = 2000;

}  // namespace

void LinkHub::begin() {
  is_wanted_ = true;
  if (knows_ || failure_) return;
  {
    const std::lock_guard lock(published_mutex_);
    is_begin_answered_ = false;
    // One that was asked for by somebody who has gone since does as well.
    if (!is_reading_) begin_asked_ms_ = reactor_.sys().boot_ms();
  }
  if (!is_reading_) ask_read();
}

void LinkHub::wait_for_begin() const {
  std::unique_lock lock(published_mutex_);
  const double left_ms = begin_asked_ms_ + kBeginMs - reactor_.sys().boot_ms();
  begun_.wait_for(lock, std::chrono::duration<double, std::milli>(left_ms), [this] { return is_begin_answered_; });
}

void LinkHub::begin_is_answered() {
  const std::lock_guard lock(published_mutex_);
  is_begin_answered_ = true;
  begun_.notify_all();
}

/// On the other thread, since the kernel may hold its lock for long; the answer brings the next socket along.
void LinkHub::ask_read() {
  events_.reset();
  is_reading_ = true;
  try {
    thread_.ask({NetworkQuestion::Kind::read, {}});
  } catch (const Error& error) {
    fail_to_read(error.code(), error.what());
  }
}

void LinkHub::fail_to_read(const std::string& code, const std::string& detail) {
  is_reading_ = false;
  failure_ = {code, detail};
  for (LinkObserver* observer : observers_) observer->on_hub_fault(code, detail);
  retry_.arm(kRetryMs);
  begin_is_answered();
}

void LinkHub::on_read(NetworkAnswer&& answer) {
  is_reading_ = false;
  if (!is_wanted_) return begin_is_answered();
  if (!answer.code.empty()) return fail_to_read(answer.code, answer.detail);
  try {
    if (!buffer_) buffer_.reset(new char[kEventBufferSize]);
    events_ = std::make_unique<FdWatch>(reactor_, std::move(answer.events), EPOLLIN, [this](uint32_t) { on_ready(); });
  } catch (const Error& error) {
    return fail_to_read(error.code(), error.what());
  }
  store_ = std::move(answer.store);
  counters_.reads++;
  publish();
  generation_++;
  route_generation_++;
  doubts_ = {};
  failure_.reset();
  knows_ = true;
  begin_is_answered();
  NetworkChanges changes;
  changes.everything = true;
  tell(changes);
  if (std::exchange(is_settle_due_, false)) on_settle();
}

}  // namespace sockmon
