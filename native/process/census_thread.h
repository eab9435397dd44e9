// The census's own thread: what it shares with those who ask, and its loop.
#pragma once
#include <pthread.h>

#include <cmath>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/wakeup.h"
#include "process/census.h"
#include "process/exec_events.h"
#include "process/roll.h"

namespace sockmon {

struct Sought {
  std::shared_ptr<const ProcessSpec> spec;
  double since_ms = 0;
  /// Wants to hear of the next look that begins, whatever comes of it.
  bool asked = false;
};

struct Result {
  std::shared_ptr<const Roll> roll;
  std::vector<uint64_t> ids;
};

/// What both threads use. Kept by the thread too: one that hangs in /proc may outlive the census.
struct CensusThread : std::enable_shared_from_this<CensusThread> {
  CensusThread(Sys& sys, ProcFs proc, CensusCadence cadence) : sys(sys), proc(std::move(proc)), cadence(cadence) {}

  static void* thread_main(void* argument);
  void ensure_thread();
  void wake_by(double at_ms);
  void loop();
  double next_look_ms() const;
  void count(const ProcessSpec& spec, bool comes);
  bool should_listen();
  void listen();
  void sleep(int timeout_ms);
  bool is_sought_among(const std::vector<pid_t>& pids);
  void look();
  std::vector<BoundSocket> sockets_sought(const std::vector<Sought>& list, bool all);
  bool is_candidate(const Sought& sought, const Roll& roll, const std::vector<BoundSocket>& sockets) const;

  Sys& sys;
  const ProcFs proc;
  const CensusCadence cadence;
  Wakeup to_census;
  Wakeup to_reactor;

  std::mutex mutex;
  std::condition_variable changed;
  pthread_t thread{};
  bool started = false;
  bool stopping = false;
  bool gone = false;

  std::map<uint64_t, Sought> sought;
  /// The names among them, each with how many seek it, and how many seek by a command line alone.
  std::unordered_map<std::string, size_t> names;
  size_t commands = 0;
  std::vector<Result> results;
  /// Until when the thread sleeps.
  double alarm_ms = INFINITY;
  /// When the next look is due by the cadence.
  double due_ms = INFINITY;
  bool is_urgent = false;
  bool was_unreadable = false;

  /// What callers of fresh() wait for.
  RollNeeds called_for;
  bool is_called = false;
  uint64_t begun = 0, done = 0;
  double looking_since_ms = 0;
  std::shared_ptr<const Roll> latest;
  /// Callers that have not taken it yet: however late they get a CPU, it is kept for them.
  int waiting = 0;
  double latest_expires_ms = 0;

  /// Of the census thread alone.
  std::optional<ExecEvents> events;
  double next_attempt_ms = 0;
};

}  // namespace sockmon
