// All scripts that are running, or whose output or end is still to come. No two run for the same resource: one that has outlived its outage
// and hangs is ended before the next is started, which it might undo. Only one that not even SIGKILL ends is not waited for.
#pragma once
#include <functional>
#include <list>
#include <memory>

#include "runs/run.h"

namespace sockmon {

class Runs final : private RunHost {
 public:
  /// Whether a resource is alive, and whole, now.
  using IsAlive = std::function<bool(const std::string& resource)>;
  Runs(Reactor& reactor, const ProcFs& proc, RunObserver& observer, IsAlive is_alive);

  /// A run that waits to be started. Throws Error.
  std::unique_ptr<Run> prepare(RunSpec spec);
  /// Starts it at once, or when the script that still runs for its resource has ended, which that is asked to do. follow() is left to the
  /// caller.
  Run& start(std::unique_ptr<Run> run);
  /// Takes over a script that an earlier monitor has started, and tells of its end. False when it does not run any more, or when its number
  /// is another process's by now. Does nothing when it has been taken over already.
  bool adopt(const AdoptSpec& spec);
  void end(const std::string& id);
  /// Whether this session is that of a running script.
  bool is_script(pid_t session) const;
  /// Whether this process is a running script for the resource, stands in its session, or descends from it.
  bool has_started(pid_t pid, const std::string& resource) const;
  /// When one was started last, in ms of CLOCK_BOOTTIME; 0: never.
  double last_start_ms() const { return last_start_ms_; }

 private:
  void run_started(const RunStarted& started) override { observer_.run_started(started); }
  void run_ended(const RunEnded& ended) override;
  void run_stuck(Run& run) override;
  void run_over(Run& run) override;
  bool end_others(const Run& run);
  void next_turn(const std::string& resource);

  Reactor& reactor_;
  const ProcFs& proc_;
  RunObserver& observer_;
  const IsAlive is_alive_;
  std::list<std::unique_ptr<Run>> runs_;
  double last_start_ms_ = 0;
};

}  // namespace sockmon
