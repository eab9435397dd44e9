#include "process/census_thread.h"

#include <poll.h>
#include <signal.h>

#include <algorithm>
#include <set>

#include "base/thread.h"
#include "process/listeners.h"
#include "process/pidfile.h"

namespace sockmon {
namespace {

/// Until it asks again for the kernel's events, where they were refused.
constexpr double kRefusedMs = 60'000;
/// For how long events are gathered from the first one on.
constexpr int kGatherMs = 20;
/// For how long a roll is good, beside the time that it took to make.
constexpr double kFreshFactor = 2;

/// The pid may have been given to another process since, which whoever seeks finds out.
bool is_pid_in_use(const std::string& pidfile) {
  const auto pid = read_pidfile(pidfile).pid;
  return pid && (kill(*pid, 0) == 0 || errno == EPERM);
}

}  // namespace

void* CensusThread::thread_main(void* argument) {
  const std::unique_ptr<std::shared_ptr<CensusThread>> self(static_cast<std::shared_ptr<CensusThread>*>(argument));
  (*self)->loop();
  const std::lock_guard lock((*self)->mutex);
  (*self)->gone = true;
  (*self)->changed.notify_all();
  return nullptr;
}

/// With the mutex held.
void CensusThread::ensure_thread() {
  if (started || stopping) return;
  auto self = std::make_unique<std::shared_ptr<CensusThread>>(shared_from_this());
  thread = start_thread("sockmon-census", thread_main, self.get());
  [[maybe_unused]] auto* owned_by_the_thread = self.release();
  started = true;
}

/// With the mutex held.
void CensusThread::wake_by(double at_ms) {
  if (at_ms >= alarm_ms) return;
  // Whoever comes until then has no need to wake it again.
  alarm_ms = at_ms;
  to_census.wake();
}

double CensusThread::next_look_ms() const {
  if (is_urgent) return 0;
  return sought.empty() ? INFINITY : due_ms;
}

void CensusThread::loop() {
  for (;;) {
    // Before a look: what comes during it is heard of.
    listen();
    int timeout_ms = -1;
    {
      const std::lock_guard lock(mutex);
      if (stopping) return;
      const double now_ms = sys.boot_ms();
      if (waiting == 0 && now_ms >= latest_expires_ms) latest.reset();
      alarm_ms = std::min(next_look_ms(), latest && waiting == 0 ? latest_expires_ms : INFINITY);
      if (alarm_ms < INFINITY) timeout_ms = static_cast<int>(std::ceil(std::max(0.0, alarm_ms - now_ms)));
    }
    if (timeout_ms != 0) sleep(timeout_ms);
    bool is_due = false;
    {
      const std::lock_guard lock(mutex);
      is_due = !stopping && next_look_ms() <= sys.boot_ms();
    }
    if (is_due) look();
  }
}

/// A pidfile and a socket come after the program has been executed: of those its execution tells nothing.
bool CensusThread::should_listen() {
  const std::lock_guard lock(mutex);
  return cadence.events && !stopping && (commands > 0 || !names.empty());
}

void CensusThread::listen() {
  if (!should_listen()) return events.reset();
  const double now_ms = sys.boot_ms();
  if (events || now_ms < next_attempt_ms) return;
  events = ExecEvents::open();
  if (!events) next_attempt_ms = now_ms + kRefusedMs;
}

void CensusThread::sleep(int timeout_ms) {
  pollfd polls[] = {{to_census.fd(), POLLIN, 0}, {events ? events->fd() : -1, POLLIN, 0}};
  if (::poll(polls, 2, timeout_ms) <= 0) return;
  if (polls[0].revents != 0) to_census.clear();
  if (polls[1].revents == 0) return;
  // What ends within this time, as most commands of a script do, costs nothing more; and a storm wakes it 50 times a second.
  ::poll(polls, 1, kGatherMs);
  std::vector<pid_t> pids;
  // Where some were lost one look makes up for it.
  if (events->take(pids) && !is_sought_among(pids)) return;
  const std::lock_guard lock(mutex);
  is_urgent = true;
}

bool CensusThread::is_sought_among(const std::vector<pid_t>& pids) {
  Roll roll;
  roll.read_words_of(proc, pids);
  const std::lock_guard lock(mutex);
  if (commands == 0 && !roll.bears_one_of(names)) return false;
  return std::any_of(sought.begin(), sought.end(), [&](const auto& each) {
    return needs_of(*each.second.spec).words && !roll.matching(*each.second.spec).empty();
  });
}

/// With the mutex held.
void CensusThread::count(const ProcessSpec& spec, bool comes) {
  if (!needs_of(spec).words) return;
  if (spec.name.empty()) {
    commands += comes ? 1 : -1;
    return;
  }
  size_t& many = names[spec.name];
  many += comes ? 1 : -1;
  if (many == 0) names.erase(spec.name);
}

void CensusThread::look() {
  std::vector<uint64_t> ids;
  std::vector<Sought> list;
  RollNeeds needs;
  bool is_for_caller = false;
  {
    const std::lock_guard lock(mutex);
    for (auto& [id, each] : sought) {
      ids.push_back(id);
      list.push_back(each);
      needs.add(needs_of(*each.spec));
      each.asked = false;
    }
    is_for_caller = std::exchange(is_called, false);
    if (is_for_caller) needs.add(called_for);
    called_for = {};
    is_urgent = false;
    begun++;
    looking_since_ms = sys.boot_ms();
  }
  const auto is_over = [this] {
    const std::lock_guard lock(mutex);
    return stopping;
  };
  auto roll = std::make_shared<Roll>();
  if (needs.words) roll->read_words(proc, is_over);
  std::vector<BoundSocket> sockets;
  if (needs.sockets) {
    sockets = sockets_sought(list, is_for_caller);
    roll->read_holders(proc, sockets, is_over);
  }
  std::vector<uint64_t> told;
  const bool is_unreadable = roll->error() != 0 || roll->hides_others();
  const bool is_news_for_all = is_unreadable || was_unreadable;
  for (size_t i = 0; i < list.size(); i++) {
    if (list[i].asked || is_news_for_all || is_candidate(list[i], *roll, sockets)) told.push_back(ids[i]);
  }
  was_unreadable = is_unreadable;

  const std::lock_guard lock(mutex);
  const double now_ms = sys.boot_ms();
  const double took_ms = now_ms - looking_since_ms;
  looking_since_ms = 0;
  done = begun;
  if (waiting == 0) latest.reset();
  if (is_for_caller) {
    latest = roll;
    latest_expires_ms = now_ms + kFreshFactor * took_ms;
  }
  double youngest_ms = -INFINITY;
  for (const auto& [id, each] : sought) youngest_ms = std::max(youngest_ms, each.since_ms);
  due_ms = now_ms + (now_ms - youngest_ms < cadence.eager_ms ? cadence.first_ms : cadence.later_ms);
  if (!told.empty()) {
    results.push_back({std::move(roll), std::move(told)});
    to_reactor.wake();
  }
  changed.notify_all();
}

/// One question for each kind of socket, for all who seek one.
std::vector<BoundSocket> CensusThread::sockets_sought(const std::vector<Sought>& list, bool all) {
  if (all) return all_sockets(sys, proc);
  std::set<ListenSpec::Kind> kinds;
  for (const Sought& each : list) {
    if (each.spec->listen) kinds.insert(each.spec->listen->kind);
  }
  std::vector<BoundSocket> bound;
  for (const ListenSpec::Kind kind : kinds) {
    for (BoundSocket& socket : sockets_of_kind(sys, proc, kind)) bound.push_back(std::move(socket));
  }
  std::vector<BoundSocket> wanted;
  for (const Sought& each : list) {
    if (!each.spec->listen) continue;
    for (BoundSocket& socket : serving(*each.spec->listen, bound)) wanted.push_back(std::move(socket));
  }
  return wanted;
}

bool CensusThread::is_candidate(const Sought& sought, const Roll& roll, const std::vector<BoundSocket>& sockets) const {
  const ProcessSpec& spec = *sought.spec;
  if (!spec.pidfile.empty() && is_pid_in_use(spec.pidfile)) return true;
  if (spec.listen) return !roll.holders_of(serving(*spec.listen, sockets)).empty();
  return spec.pidfile.empty() && !roll.matching(spec).empty();
}

}  // namespace sockmon
