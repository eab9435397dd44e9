// One execution of a script, from posix_spawn, or from its taking over, to the last byte of its output.
#pragma once
#include <memory>
#include <string>

#include "base/reactor.h"
#include "process/proc_fs.h"
#include "runs/output_pipe.h"
#include "runs/process_end.h"
#include "runs/run_event.h"
#include "runs/spawn.h"

namespace sockmon {

class Run;

class RunHost : public RunObserver {
 public:
  /// Nothing of it is left to wait for. It may be destroyed here.
  virtual void run_over(Run& run) = 0;
};

class Run {
 public:
  Run(Reactor& reactor, const ProcFs& proc, RunHost& host, std::unique_ptr<PreparedRun> prepared);
  /// Of an earlier monitor, and alive. Without a pidfd it is looked for from time to time.
  Run(Reactor& reactor, const ProcFs& proc, RunHost& host, const AdoptSpec& adopted, UniqueFd pidfd);

  /// posix_spawn and nothing else: what can wait is in follow().
  void start();
  /// Leaves the run file, tells of the start, or of its failure, and follows the process from then on.
  void follow(bool reflex);
  /// Asks the whole session to end, and kills it after the grace time.
  void end();

  const std::string& id() const { return id_; }
  /// What it is run for; may be empty.
  const std::string& resource() const { return resource_; }
  pid_t pid() const { return pid_; }
  bool running() const { return running_; }

 private:
  std::string leave_file();
  void on_end(ExitCause cause);
  void on_timeout();
  void end_session();
  void kill_rest();
  bool number_is_reused() const;
  void check_over();

  Reactor& reactor_;
  const ProcFs& proc_;
  RunHost& host_;
  /// Null: taken over.
  std::unique_ptr<PreparedRun> prepared_;
  const std::string id_;
  const std::string resource_;
  const std::string file_;
  const double grace_ms_;
  pid_t pid_ = 0;
  uint64_t start_ticks_ = 0;
  int spawn_error_ = 0;
  double started_ms_ = 0;
  bool running_ = false;
  bool ending_ = false;
  bool timed_out_ = false;
  std::unique_ptr<ProcessEnd> process_;
  std::unique_ptr<OutputPipe> output_;
  Timer timeout_;
  Timer grace_;
};

}  // namespace sockmon
