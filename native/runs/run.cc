#include "runs/run.h"

#include <sys/wait.h>

#include <algorithm>

#include "base/error.h"
#include "process/exit_cause.h"
#include "runs/session.h"

namespace sockmon {
namespace {

constexpr size_t kOutputLimit = 4096;
/// Of one look: a script that writes without end must not keep the thread to itself.
constexpr size_t kDrainLimit = 1 << 20;
/// Without a pidfd (no descriptor left) the child has to be asked for.
constexpr double kPollMs = 50;

}  // namespace

Run::Run(Reactor& reactor, const ProcFs& proc, RunHost& host, std::unique_ptr<PreparedRun> prepared)
    : reactor_(reactor),
      proc_(proc),
      host_(host),
      prepared_(std::move(prepared)),
      tail_(kOutputLimit),
      poll_(reactor, [this] { on_process(); }),
      timeout_(reactor, [this] { on_timeout(); }),
      grace_(reactor, [this] { kill_rest(); }) {}

void Run::start() {
  // Before, not after: the script may have begun, and even ended, when posix_spawn returns.
  started_ms_ = reactor_.sys().boot_ms();
  spawn_error_ = prepared_->spawn(&pid_);
  running_ = spawn_error_ == 0;
}

std::string Run::resource() const {
  for (const auto& [name, value] : prepared_->spec().env) {
    if (name == "SOCKMON_RESOURCE") return value;
  }
  return "";
}

void Run::follow(bool reflex) {
  if (!running_) {
    RunEnded ended;
    ended.id = id();
    ended.resource = resource();
    ended.at_ms = started_ms_;
    ended.spawn_error = errno_name(spawn_error_);
    host_.run_ended(ended);
    return host_.run_over(*this);
  }
  host_.run_started({id(), pid_, started_ms_, reflex});
  output_ = std::make_unique<FdWatch>(reactor_, prepared_->take_output(), EPOLLIN, [this](uint32_t) { on_output(); });
  const double timeout_ms = prepared_->spec().timeout_ms;
  if (timeout_ms > 0) timeout_.arm(std::max(0.0, started_ms_ + timeout_ms - reactor_.sys().boot_ms()));
  follow_process();
}

void Run::follow_process() {
  UniqueFd pidfd(reactor_.sys().pidfd_open(pid_));
  if (!pidfd) return poll_.arm(kPollMs);
  process_ = std::make_unique<FdWatch>(reactor_, std::move(pidfd), EPOLLIN, [this](uint32_t) { on_process(); });
}

void Run::on_process() {
  siginfo_t info{};
  Sys& sys = reactor_.sys();
  // By pidfd or, as it is our own unreaped child, safely by number. libuv reaps only the pids it knows.
  const auto wait = [&](idtype_t type, id_t id) {
    return retry_eintr([&] { return sys.waitid(type, id, &info, WEXITED | WNOHANG); });
  };
  int result = -1;
  if (process_) result = wait(P_PIDFD, static_cast<id_t>(process_->fd()));
  // P_PIDFD came with Linux 5.4, pidfd_open with 5.3.
  if (!process_ || (result == -1 && errno == EINVAL)) result = wait(P_PID, static_cast<id_t>(pid_));
  if (result == 0 && info.si_pid == 0) return poll_.arm(kPollMs);
  reap(info);
}

void Run::reap(const siginfo_t& info) {
  RunEnded ended;
  ended.id = id();
  ended.resource = resource();
  ended.at_ms = reactor_.now_ms();
  // Reaped by somebody else in this process: its status is lost.
  ended.exit = info.si_pid == pid_ ? cause_of_child(info.si_code, info.si_status) : ExitCause{};
  running_ = false;
  process_.reset();
  timeout_.cancel();
  if (output_ && !read_output()) output_.reset();
  ended.timed_out = timed_out_;
  ended.output = tail_.text();
  ended.output_truncated = tail_.truncated();
  host_.run_ended(ended);
  check_over();
}

void Run::on_output() {
  if (read_output()) return;
  output_.reset();
  check_over();
}

/// Reads what there is, without waiting. False at the end of the output.
bool Run::read_output() {
  char buffer[16384];
  for (size_t total = 0; total < kDrainLimit;) {
    const ssize_t got = retry_eintr([&] { return read(output_->fd(), buffer, sizeof buffer); });
    if (got < 0 && errno == EAGAIN) return true;
    if (got <= 0) return false;
    total += static_cast<size_t>(got);
    // A daemon that the script left behind may go on writing: it is read, so that it does not block, and dropped.
    tail_.append({buffer, static_cast<size_t>(got)});
  }
  return true;
}

void Run::on_timeout() {
  timed_out_ = true;
  end_session();
}

void Run::end() {
  if (running_) end_session();
}

void Run::end_session() {
  if (ending_) return;
  ending_ = true;
  signal_session(reactor_.sys(), proc_, pid_, SIGTERM);
  grace_.arm(prepared_->spec().grace_ms);
}

void Run::kill_rest() {
  if (!number_is_reused()) signal_session(reactor_.sys(), proc_, pid_, SIGKILL);
  check_over();
}

/// The number stays taken while a member of the session lives; a process that has it now is a stranger.
bool Run::number_is_reused() const { return !running_ && proc_.stat(pid_).has_value(); }

void Run::check_over() {
  if (!running_ && !output_ && !grace_.armed()) host_.run_over(*this);
}

}  // namespace sockmon
