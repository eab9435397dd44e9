// One execution of a script, from posix_spawn to the last byte of its output.
#pragma once
#include <memory>
#include <string>

#include "base/reactor.h"
#include "core/event.h"
#include "process/proc_fs.h"
#include "runs/output_tail.h"
#include "runs/spawn.h"

namespace sockmon {

class Run;

class RunHost {
 public:
  virtual ~RunHost() = default;
  virtual void run_started(const RunStarted& started) = 0;
  virtual void run_ended(const RunEnded& ended) = 0;
  /// Nothing of it is left to wait for. It may be destroyed here.
  virtual void run_over(Run& run) = 0;
};

class Run {
 public:
  Run(Reactor& reactor, const ProcFs& proc, RunHost& host, std::unique_ptr<PreparedRun> prepared);

  /// posix_spawn and nothing else: what can wait is in follow().
  void start();
  /// Tells of the start, or of its failure, and follows the process from then on.
  void follow(bool reflex);
  /// Asks the whole session to end, and kills it after the grace time.
  void end();

  const std::string& id() const { return prepared_->spec().id; }
  /// What it is run for, as its environment says; may be empty.
  std::string resource() const;
  pid_t pid() const { return pid_; }
  bool running() const { return running_; }

 private:
  void follow_process();
  void on_process();
  void reap(const siginfo_t& info);
  void on_output();
  bool read_output();
  void on_timeout();
  void end_session();
  void kill_rest();
  bool number_is_reused() const;
  void check_over();

  Reactor& reactor_;
  const ProcFs& proc_;
  RunHost& host_;
  std::unique_ptr<PreparedRun> prepared_;
  pid_t pid_ = 0;
  int spawn_error_ = 0;
  double started_ms_ = 0;
  bool running_ = false;
  bool ending_ = false;
  bool timed_out_ = false;
  OutputTail tail_;
  std::unique_ptr<FdWatch> process_;
  std::unique_ptr<FdWatch> output_;
  Timer poll_;
  Timer timeout_;
  Timer grace_;
};

}  // namespace sockmon
