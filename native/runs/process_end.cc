#include "runs/process_end.h"

#include <sys/wait.h>

#include "process/exit_cause.h"

namespace sockmon {
namespace {

/// Without a pidfd (no descriptor left) the process has to be asked for.
constexpr double kPollMs = 50;
/// So many looks at a zombie whose status is hidden: one second for its parent to reap it.
constexpr int kZombieLooks = 20;

class ChildEnd final : public ProcessEnd {
 public:
  ChildEnd(Reactor& reactor, pid_t pid, Done done)
      : reactor_(reactor), pid_(pid), done_(std::move(done)), poll_(reactor, [this] { look(); }) {
    UniqueFd pidfd(reactor_.sys().pidfd_open(pid_));
    if (pidfd)
      process_ = std::make_unique<FdWatch>(reactor_, std::move(pidfd), EPOLLIN, [this](uint32_t) { look(); });
    else
      poll_.arm(kPollMs);
  }

 private:
  void look() {
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
    const ExitCause cause = info.si_pid == pid_ ? cause_of_child(info.si_code, info.si_status) : ExitCause{};
    const Done done = std::move(done_);
    done(cause);
  }

  Reactor& reactor_;
  const pid_t pid_;
  Done done_;
  std::unique_ptr<FdWatch> process_;
  Timer poll_;
};

class AdoptedEnd final : public ProcessEnd {
 public:
  AdoptedEnd(Reactor& reactor, const ProcFs& proc, UniqueFd pidfd, Identity identity, Done done)
      : reactor_(reactor), proc_(proc), identity_(identity), done_(std::move(done)), poll_(reactor, [this] { look(); }) {
    if (!pidfd) {
      poll_.arm(kPollMs);
      return;
    }
    process_ = std::make_unique<FdWatch>(reactor, std::move(pidfd), EPOLLIN, [this](uint32_t) {
      // EPOLLIN says "a zombie" and stays; EPOLLHUP, at the reaping, is told without being asked for (Linux 6.9).
      process_->set_events(0);
      look();
    });
  }

 private:
  void look() {
    const auto stat = proc_.stat(identity_.pid);
    const bool is_there = stat && stat->start_ticks == identity_.start_ticks;
    if (is_there && !stat->dead) return poll_.arm(kPollMs);
    ExitCause cause = process_ ? cause_by_pidfd(reactor_.sys(), process_->fd()) : ExitCause{};
    if (!cause.known()) cause = cause_by_proc(proc_, identity_);
    if (!cause.known() && is_there && ++zombie_looks_ < kZombieLooks) return poll_.arm(kPollMs);
    const Done done = std::move(done_);
    done(cause);
  }

  Reactor& reactor_;
  const ProcFs& proc_;
  const Identity identity_;
  Done done_;
  int zombie_looks_ = 0;
  std::unique_ptr<FdWatch> process_;
  Timer poll_;
};

}  // namespace

std::unique_ptr<ProcessEnd> end_of_child(Reactor& reactor, pid_t pid, ProcessEnd::Done done) {
  return std::make_unique<ChildEnd>(reactor, pid, std::move(done));
}

std::unique_ptr<ProcessEnd> end_of_adopted(Reactor& reactor, const ProcFs& proc, UniqueFd pidfd, Identity identity,
                                           ProcessEnd::Done done) {
  return std::make_unique<AdoptedEnd>(reactor, proc, std::move(pidfd), identity, std::move(done));
}

}  // namespace sockmon
