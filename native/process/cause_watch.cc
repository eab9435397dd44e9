#include "process/cause_watch.h"

#include "base/error.h"
#include "process/exit_cause.h"

namespace sockmon {
namespace {

/// A parent that does not wait for its children, or a kernel (before 6.9) without EPOLLHUP, sends no event: look again.
constexpr double kLookMs = 1000;
constexpr int kLooks = 5;
/// A crash loop must not collect descriptors.
constexpr size_t kMost = 4;

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

void CauseWatches::add(UniqueFd pidfd, const Identity& identity, Done done) {
  if (watches_.size() >= kMost) watches_.pop_front();
  const auto slot = watches_.emplace(watches_.end());
  try {
    *slot = std::make_unique<CauseWatch>(reactor_, proc_, std::move(pidfd), identity, [this, slot, done = std::move(done)](ExitCause cause) {
      watches_.erase(slot);
      done(cause);
    });
  } catch (const Error&) {
    watches_.erase(slot);
  }
}

}  // namespace sockmon
