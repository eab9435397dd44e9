// One epoll set and one timerfd: whatever the monitor thread waits for. Not thread-safe: used by that thread alone.
#pragma once
#include <sys/epoll.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <set>
#include <string>
#include <utility>

#include "base/sys.h"
#include "base/unique_fd.h"

namespace sockmon {

class Timer;

class Reactor {
 public:
  using Callback = std::function<void(uint32_t epoll_events)>;
  using OnError = std::function<void(const std::string& code, const std::string& detail)>;

  /// `on_error` hears of exceptions that a callback let out; the loop goes on.
  Reactor(Sys& sys, OnError on_error);
  ~Reactor();
  Reactor(const Reactor&) = delete;
  Reactor& operator=(const Reactor&) = delete;

  /// Waits for and handles one batch of events. Throws Error when epoll itself fails.
  void run_once();
  /// When the batch being handled was received, in ms of CLOCK_BOOTTIME.
  double now_ms() const { return now_ms_; }
  Sys& sys() const { return sys_; }

 private:
  friend class FdWatch;
  friend class Timer;

  struct Entry {
    /// A number is soon given to another descriptor: an event of one that was removed earlier in the same batch finds nobody.
    uint32_t generation = 0;
    /// Null: not watched.
    Callback callback;
  };

  void add(int fd, uint32_t events, Callback callback);
  void modify(int fd, uint32_t events);
  void remove(int fd);
  void set_alarm();
  void fire_expired();
  template <typename Call>
  void guarded(Call call);

  Sys& sys_;
  OnError on_error_;
  UniqueFd epoll_;
  UniqueFd timer_;
  double now_ms_;
  double alarm_ms_ = 0;
  uint32_t last_generation_ = 0;
  /// By the number of the descriptor.
  std::deque<Entry> entries_;
  std::set<std::pair<double, Timer*>> timers_;
};

/// An open descriptor in the epoll set. Owns it: leaves the set, then closes. May be destroyed inside its own callback.
class FdWatch {
 public:
  /// Throws Error when epoll_ctl(2) refuses.
  FdWatch(Reactor& reactor, UniqueFd fd, uint32_t events, Reactor::Callback callback);
  ~FdWatch();
  FdWatch(const FdWatch&) = delete;
  FdWatch& operator=(const FdWatch&) = delete;

  int fd() const { return fd_.get(); }
  void set_events(uint32_t events);
  /// Leaves the epoll set and hands the descriptor on.
  UniqueFd release();

 private:
  Reactor& reactor_;
  UniqueFd fd_;
};

/// A one-shot timer on CLOCK_BOOTTIME. May be armed again or destroyed inside its own callback.
class Timer {
 public:
  Timer(Reactor& reactor, std::function<void()> callback);
  ~Timer();
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  void arm(double delay_ms);
  void cancel();
  bool armed() const { return deadline_ms_ >= 0; }

 private:
  friend class Reactor;
  Reactor& reactor_;
  std::function<void()> callback_;
  double deadline_ms_ = -1;
};

}  // namespace sockmon
