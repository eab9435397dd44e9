#include "process/cause_watch.h"

#include "process/exit_cause.h"

namespace sockmon {
namespace {

/// A parent that does not wait for its children, or a kernel (before 6.9) without EPOLLHUP, sends no event: look again.
constexpr double kLookMs = 1000;
constexpr int kLooks = 5;

}  // namespace

CauseWatch::CauseWatch(Reactor& reactor, const ProcFs& proc, UniqueFd pidfd, Identity identity,
                       std::function<void(ExitCause)> done)
    : reactor_(reactor),
      proc_(proc),
      identity_(identity),
      done_(std::move(done)),
      timer_(reactor, [this] { look(++looks_ >= kLooks); }),
      pidfd_(std::make_unique<FdWatch>(reactor, std::move(pidfd), EPOLLIN,
                                       [this](uint32_t events) { on_pidfd(events); })) {
  timer_.arm(kLookMs);
}

void CauseWatch::on_pidfd(uint32_t events) {
  // EPOLLIN says "a zombie" and stays; EPOLLHUP, at the reaping, is told without being asked for.
  pidfd_->set_events(0);
  look((events & EPOLLHUP) != 0);
}

void CauseWatch::look(bool last) {
  ExitCause cause = cause_by_pidfd(reactor_.sys(), pidfd_->fd());
  if (!cause.known()) cause = cause_by_proc(proc_, identity_);
  if (!cause.known() && !last) {
    if (!timer_.armed()) timer_.arm(kLookMs);
    return;
  }
  const auto done = std::move(done_);
  done(cause);
}

}  // namespace sockmon
