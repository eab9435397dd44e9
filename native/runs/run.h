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
  /// Not even SIGKILL has ended it.
  virtual void run_stuck(Run& run) = 0;
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
  /// Leaves the run file, tells of the start, or of its failure, and follows the process from then on. Of one that has not been started yet
  /// it only keeps whether it is a reflex.
  void follow(bool reflex);
  /// Its turn has come: started and followed.
  void start_late();
  /// Never started, because its resource is alive.
  void not_needed();
  /// Asks the whole session to end, and kills it after the grace time. One that waits for its turn will not be started.
  void end();

  const std::string& id() const { return id_; }
  /// What it is run for; may be empty.
  const std::string& resource() const { return resource_; }
  pid_t pid() const { return pid_; }
  bool running() const { return state_ == State::running; }
  /// Running, in the middle of a call that the kernel does not end (state D).
  bool stuck() const { return running() && ending_ == Ending::in_vain; }
  /// For the end of another script of its resource.
  bool waiting() const { return state_ == State::waiting; }
  /// Whether it is to be started beside what lives: a person may ask for that.
  bool is_for_the_dead_only() const { return reflex_ || !prepared_->spec().unless_alive.empty(); }

 private:
  RunEnded unstarted() const;
  void call_off(const RunEnded& ended);
  std::string leave_file();
  void on_end(ExitCause cause);
  void on_timeout();
  void end_session();
  void on_grace_over();
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
  bool reflex_ = false;
  enum class State { waiting, running, over } state_ = State::waiting;
  enum class Ending { no, asked, killed, in_vain } ending_ = Ending::no;
  bool timed_out_ = false;
  std::unique_ptr<ProcessEnd> process_;
  std::unique_ptr<OutputPipe> output_;
  Timer timeout_;
  Timer grace_;
};

}  // namespace sockmon
