#include "runs/run.h"

#include <algorithm>

#include "base/error.h"
#include "runs/run_file.h"
#include "runs/session.h"

namespace sockmon {
namespace {

/// What SIGKILL ends is gone in some ms, 100 with much memory.
constexpr double kStuckMs = 2000;

/// As the script itself is told.
std::string resource_of(const RunSpec& spec) {
  for (const auto& [name, value] : spec.env) {
    if (name == "SOCKMON_RESOURCE") return value;
  }
  return "";
}

}  // namespace

Run::Run(Reactor& reactor, const ProcFs& proc, RunHost& host, std::unique_ptr<PreparedRun> prepared)
    : reactor_(reactor),
      proc_(proc),
      host_(host),
      prepared_(std::move(prepared)),
      id_(prepared_->spec().id),
      resource_(resource_of(prepared_->spec())),
      file_(prepared_->spec().run_file),
      grace_ms_(prepared_->spec().grace_ms),
      timeout_(reactor, [this] { on_timeout(); }),
      grace_(reactor, [this] { on_grace_over(); }) {}

Run::Run(Reactor& reactor, const ProcFs& proc, RunHost& host, const AdoptSpec& adopted, UniqueFd pidfd)
    : reactor_(reactor),
      proc_(proc),
      host_(host),
      id_(adopted.id),
      resource_(adopted.resource),
      file_(adopted.run_file),
      grace_ms_(adopted.grace_ms),
      pid_(adopted.pid),
      start_ticks_(adopted.start_ticks),
      state_(State::running),
      timeout_(reactor, [this] { on_timeout(); }),
      grace_(reactor, [this] { on_grace_over(); }) {
  output_ = std::make_unique<OutputPipe>(reactor, reopen_output(proc, pid_, adopted.output_inode),
                                         [this] { check_over(); });
  process_ = end_of_adopted(reactor, proc, std::move(pidfd), {pid_, start_ticks_},
                            [this](ExitCause cause) { on_end(cause); });
}

void Run::start() {
  // Before, not after: the script may have begun, and even ended, when posix_spawn returns.
  started_ms_ = reactor_.sys().boot_ms();
  spawn_error_ = prepared_->spawn(&pid_);
  state_ = spawn_error_ == 0 ? State::running : State::over;
}

void Run::start_late() {
  start();
  follow(reflex_);
}

void Run::follow(bool reflex) {
  reflex_ = reflex;
  if (waiting()) return;
  if (!running()) {
    RunEnded ended = unstarted();
    ended.at_ms = started_ms_;
    ended.spawn_error = errno_name(spawn_error_);
    return call_off(ended);
  }
  // Our own child: until it is reaped its number is its own.
  const auto stat = proc_.stat(pid_);
  start_ticks_ = stat ? stat->start_ticks : 0;
  const std::string file_error = leave_file();
  host_.run_started({id(), pid_, start_ticks_, started_ms_, reflex, file_error});
  output_ = std::make_unique<OutputPipe>(reactor_, prepared_->take_output(), [this] { check_over(); });
  const double timeout_ms = prepared_->spec().timeout_ms;
  if (timeout_ms > 0) timeout_.arm(std::max(0.0, started_ms_ + timeout_ms - reactor_.sys().boot_ms()));
  process_ = end_of_child(reactor_, pid_, [this](ExitCause cause) { on_end(cause); });
}

/// The name of the errno that stood against it; empty when it is there, or when none is wanted.
std::string Run::leave_file() {
  if (file_.empty()) return "";
  // Without its start a process cannot be told from a later one of the same number.
  if (start_ticks_ == 0) return errno_name(ESRCH);
  const RunFacts facts{pid_, start_ticks_, started_ms_, prepared_->output_inode()};
  const int error = write_run_file(file_, prepared_->spec().run_file_text, facts);
  return error == 0 ? "" : errno_name(error);
}

void Run::on_end(ExitCause cause) {
  RunEnded ended;
  ended.id = id();
  ended.resource = resource_;
  ended.at_ms = reactor_.now_ms();
  ended.exit = cause;
  state_ = State::over;
  process_.reset();
  timeout_.cancel();
  if (ending_ == Ending::killed) grace_.cancel();
  // What the script has left behind is no run: its own end counts.
  remove_run_file(file_);
  output_->drain();
  ended.timed_out = timed_out_;
  ended.output = output_->tail().text();
  ended.output_truncated = output_->tail().truncated();
  host_.run_ended(ended);
  check_over();
}

void Run::on_timeout() {
  timed_out_ = true;
  end_session();
}

void Run::end() {
  if (running()) end_session();
  if (!waiting()) return;
  RunEnded ended = unstarted();
  ended.spawn_error = errno_name(ECANCELED);
  call_off(ended);
}

void Run::not_needed() {
  RunEnded ended = unstarted();
  ended.not_needed = true;
  call_off(ended);
}

RunEnded Run::unstarted() const {
  RunEnded ended;
  ended.id = id_;
  ended.resource = resource_;
  ended.at_ms = reactor_.sys().boot_ms();
  return ended;
}

void Run::call_off(const RunEnded& ended) {
  state_ = State::over;
  host_.run_ended(ended);
  host_.run_over(*this);
}

void Run::end_session() {
  if (ending_ != Ending::no) return;
  ending_ = Ending::asked;
  signal_session(reactor_.sys(), proc_, pid_, SIGTERM);
  grace_.arm(grace_ms_);
}

void Run::on_grace_over() {
  if (ending_ == Ending::asked) return kill_rest();
  ending_ = Ending::in_vain;
  host_.run_stuck(*this);
}

void Run::kill_rest() {
  ending_ = Ending::killed;
  if (!number_is_reused()) signal_session(reactor_.sys(), proc_, pid_, SIGKILL);
  if (running()) grace_.arm(kStuckMs);
  check_over();
}

/// The number stays taken while a member of the session lives; a process that has it now is a stranger.
bool Run::number_is_reused() const {
  if (running()) return false;
  const auto stat = proc_.stat(pid_);
  return stat && stat->start_ticks != start_ticks_;
}

void Run::check_over() {
  if (!running() && !output_->open() && !grace_.armed()) host_.run_over(*this);
}

}  // namespace sockmon
