#include "base/reactor.h"

#include <sys/timerfd.h>

#include <cmath>

#include "base/error.h"

namespace sockmon {
namespace {

/// No other token is that, since generations begin with 1.
constexpr uint64_t kTimerToken = 0;
constexpr int kBatch = 64;

uint64_t token_of(int fd, uint32_t generation) { return uint64_t{generation} << 32 | static_cast<uint32_t>(fd); }

void epoll_control(int epoll, int operation, int fd, uint32_t events, uint64_t token) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = token;
  if (epoll_ctl(epoll, operation, fd, &event) != 0) throw Error::from_errno(errno, "epoll_ctl failed");
}

}  // namespace

Reactor::Reactor(Sys& sys, OnError on_error)
    : sys_(sys),
      on_error_(std::move(on_error)),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      timer_(timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK)),
      now_ms_(sys.boot_ms()) {
  if (!epoll_ || !timer_) throw Error::from_errno(errno, "Cannot create the epoll set of the monitor");
  epoll_control(epoll_.get(), EPOLL_CTL_ADD, timer_.get(), EPOLLIN, kTimerToken);
}

Reactor::~Reactor() = default;

void Reactor::add(int fd, uint32_t events, Callback callback) {
  const uint32_t generation = ++last_generation_;
  // First: it refuses what is no open descriptor.
  epoll_control(epoll_.get(), EPOLL_CTL_ADD, fd, events, token_of(fd, generation));
  const auto index = static_cast<size_t>(fd);
  if (entries_.size() <= index) entries_.resize(index + 1);
  entries_[index] = {generation, std::move(callback)};
}

void Reactor::modify(int fd, uint32_t events) {
  epoll_control(epoll_.get(), EPOLL_CTL_MOD, fd, events, token_of(fd, entries_[static_cast<size_t>(fd)].generation));
}

void Reactor::remove(int fd) {
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
  entries_[static_cast<size_t>(fd)].callback = nullptr;
}

template <typename Call>
void Reactor::guarded(Call call) {
  try {
    call();
  } catch (const Error& error) {
    on_error_(error.code(), error.what());
  } catch (const std::exception& error) {
    on_error_("ERR_SOCKMON_INTERNAL", error.what());
  }
}

void Reactor::run_once() {
  epoll_event events[kBatch];
  const int count = sys_.epoll_wait(epoll_.get(), events, kBatch);
  now_ms_ = sys_.boot_ms();
  if (count < 0) {
    if (errno == EINTR) return;
    throw Error::from_errno(errno, "epoll_wait failed");
  }
  bool alarm = false;
  for (int i = 0; i < count; i++) {
    if (events[i].data.u64 == kTimerToken) {
      alarm = true;
      continue;
    }
    const auto fd = static_cast<int>(static_cast<uint32_t>(events[i].data.u64));
    const Entry& entry = entries_[static_cast<size_t>(fd)];
    if (!entry.callback || token_of(fd, entry.generation) != events[i].data.u64) continue;
    const Callback callback = entry.callback;  // a copy, so that it may remove itself
    guarded([&] { callback(events[i].events); });
  }
  if (alarm) fire_expired();
}

void Reactor::fire_expired() {
  uint64_t expirations;
  [[maybe_unused]] const ssize_t got = ::read(timer_.get(), &expirations, sizeof expirations);
  alarm_ms_ = 0;
  while (!timers_.empty() && timers_.begin()->first <= now_ms_) {
    Timer* timer = timers_.begin()->second;
    timers_.erase(timers_.begin());
    timer->deadline_ms_ = -1;
    const auto callback = timer->callback_;  // a copy, so that it may destroy its timer
    guarded(callback);
  }
  set_alarm();
}

void Reactor::set_alarm() {
  const double wanted = timers_.empty() ? 0 : timers_.begin()->first;
  if (wanted == alarm_ms_) return;
  alarm_ms_ = wanted;
  itimerspec spec{};
  spec.it_value.tv_sec = static_cast<time_t>(wanted / 1e3);
  // Rounded up: never early, or the loop would spin until the moment has come.
  spec.it_value.tv_nsec = static_cast<long>(std::ceil(std::fmod(wanted, 1e3) * 1e6));
  if (spec.it_value.tv_nsec > 999'999'999) spec.it_value = {spec.it_value.tv_sec + 1, 0};
  timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &spec, nullptr);
}

FdWatch::FdWatch(Reactor& reactor, UniqueFd fd, uint32_t events, Reactor::Callback callback)
    : reactor_(reactor), fd_(std::move(fd)) {
  reactor_.add(fd_.get(), events, std::move(callback));
}

FdWatch::~FdWatch() {
  if (fd_) reactor_.remove(fd_.get());
}

void FdWatch::set_events(uint32_t events) {
  reactor_.modify(fd_.get(), events);
}

UniqueFd FdWatch::release() {
  reactor_.remove(fd_.get());
  return std::move(fd_);
}

Timer::Timer(Reactor& reactor, std::function<void()> callback)
    : reactor_(reactor), callback_(std::move(callback)) {}

Timer::~Timer() { cancel(); }

void Timer::arm(double delay_ms) {
  if (armed()) reactor_.timers_.erase({deadline_ms_, this});
  deadline_ms_ = reactor_.sys().boot_ms() + delay_ms;
  reactor_.timers_.insert({deadline_ms_, this});
  reactor_.set_alarm();
}

void Timer::cancel() {
  if (!armed()) return;
  reactor_.timers_.erase({deadline_ms_, this});
  deadline_ms_ = -1;
  reactor_.set_alarm();
}

}  // namespace sockmon
