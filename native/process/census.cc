#include "process/census.h"

#include <fcntl.h>

#include <algorithm>

#include "base/error.h"
#include "process/census_thread.h"

namespace sockmon {
namespace {

constexpr std::chrono::milliseconds kPatience{2000};

}  // namespace

Census::Census(Reactor& reactor, Sys& sys, ProcFs proc, CensusCadence cadence)
    : shared_(std::make_shared<CensusThread>(sys, std::move(proc), cadence)) {
  UniqueFd fd(fcntl(shared_->to_reactor.fd(), F_DUPFD_CLOEXEC, 3));
  if (!fd) throw Error::from_errno(errno, "Cannot duplicate a descriptor");
  results_ = std::make_unique<FdWatch>(reactor, std::move(fd), EPOLLIN, [this](uint32_t) { deliver(); });
}

Census::~Census() { stop(); }

void Census::deliver() {
  shared_->to_reactor.clear();
  std::vector<Result> results;
  {
    const std::lock_guard lock(shared_->mutex);
    results.swap(shared_->results);
  }
  for (const Result& result : results) {
    for (const uint64_t id : result.ids) {
      const auto found = callbacks_.find(id);
      if (found == callbacks_.end()) continue;
      const Callback callback = found->second;  // a copy, so that it may end its search
      callback(*result.roll);
    }
  }
}

Census::Search::Search(Census& census, const ProcessSpec& spec, Callback callback) : census_(census), id_(census.next_id_++) {
  CensusThread& shared = *census_.shared_;
  const std::lock_guard lock(shared.mutex);
  shared.ensure_thread();
  census_.callbacks_.emplace(id_, std::move(callback));
  const double now_ms = shared.sys.boot_ms();
  const double by_ms = now_ms + shared.cadence.begin_ms;
  shared.due_ms = shared.sought.empty() ? by_ms : std::min(shared.due_ms, by_ms);
  shared.count(spec, true);
  shared.sought.emplace(id_, Sought{std::make_shared<const ProcessSpec>(spec), now_ms, false});
  shared.wake_by(by_ms);
}

Census::Search::~Search() {
  census_.callbacks_.erase(id_);
  CensusThread& shared = *census_.shared_;
  const std::lock_guard lock(shared.mutex);
  const auto sought = shared.sought.find(id_);
  shared.count(*sought->second.spec, false);
  shared.sought.erase(sought);
  // Nobody is told of events any more, nor woken by them.
  if (shared.names.empty() && shared.commands == 0) shared.wake_by(0);
}

void Census::Search::look() {
  CensusThread& shared = *census_.shared_;
  const std::lock_guard lock(shared.mutex);
  Sought& sought = shared.sought.at(id_);
  sought.since_ms = shared.sys.boot_ms();
  sought.asked = true;
  shared.is_urgent = true;
  shared.wake_by(0);
}

void Census::encourage() {
  const std::lock_guard lock(shared_->mutex);
  if (shared_->sought.empty()) return;
  const double now_ms = shared_->sys.boot_ms();
  for (auto& [id, each] : shared_->sought) each.since_ms = now_ms;
  shared_->due_ms = std::min(shared_->due_ms, now_ms + shared_->cadence.first_ms);
  shared_->wake_by(shared_->due_ms);
}

RollNeeds Census::needs() const {
  const std::lock_guard lock(shared_->mutex);
  RollNeeds needs;
  for (const auto& [id, each] : shared_->sought) needs.add(needs_of(*each.spec));
  return needs;
}

std::shared_ptr<const Roll> Census::fresh(const RollNeeds& needs) {
  CensusThread& shared = *shared_;
  std::unique_lock lock(shared.mutex);
  const double now_ms = shared.sys.boot_ms();
  if (shared.latest && now_ms < shared.latest_expires_ms && shared.latest->has().cover(needs)) return shared.latest;
  shared.ensure_thread();
  const uint64_t wanted = shared.begun + 1;
  shared.called_for.add(needs);
  shared.is_called = shared.is_urgent = true;
  shared.wake_by(0);
  // Whoever comes while it hangs already has no need to wait as long.
  const bool hangs = shared.looking_since_ms > 0 && now_ms - shared.looking_since_ms > static_cast<double>(kPatience.count());
  shared.waiting++;
  shared.changed.wait_for(lock, hangs ? std::chrono::milliseconds(0) : kPatience,
                          [&] { return shared.done >= wanted || shared.stopping; });
  shared.waiting--;
  if (shared.latest) shared.wake_by(shared.latest_expires_ms);
  if (shared.done >= wanted && shared.latest) return shared.latest;
  auto failed = std::make_shared<Roll>();
  failed->fail(ETIMEDOUT);
  return failed;
}

void Census::stop() {
  std::unique_lock lock(shared_->mutex);
  if (std::exchange(shared_->stopping, true) || !shared_->started) return;
  shared_->to_census.wake();
  shared_->changed.notify_all();
  const bool is_gone = shared_->changed.wait_for(lock, kPatience, [this] { return shared_->gone; });
  const pthread_t thread = shared_->thread;
  lock.unlock();
  if (is_gone) pthread_join(thread, nullptr);
  else pthread_detach(thread);
}

}  // namespace sockmon
