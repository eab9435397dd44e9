#include "process/census.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>

#include <algorithm>
#include <cmath>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <set>
#include <unordered_map>

#include "base/error.h"
#include "base/thread.h"
#include "base/wakeup.h"
#include "process/exec_events.h"
#include "process/listeners.h"
#include "process/pidfile.h"

namespace sockmon {
namespace {

constexpr std::chrono::milliseconds kPatience{2000};
/// Until it asks again for the kernel's events, where they were refused.
constexpr double kRefusedMs = 60'000;
/// For how long a roll is good, beside the time that it took to make.
constexpr double kFreshFactor = 2;

struct Sought {
  std::shared_ptr<const ProcessSpec> spec;
  double since_ms = 0;
  /// Wants to hear of the next look that begins, whatever comes of it.
  bool asked = false;
};

struct Result {
  std::shared_ptr<const Roll> roll;
  std::vector<uint64_t> ids;
};

/// The pid may have been given to another process since, which whoever seeks finds out.
bool is_pid_in_use(const std::string& pidfile) {
  const auto pid = read_pidfile(pidfile).pid;
  return pid && (kill(*pid, 0) == 0 || errno == EPERM);
}

}  // namespace

/// What both threads use. Kept by the thread too: one that hangs in /proc may outlive the census.
struct Census::Shared : std::enable_shared_from_this<Census::Shared> {
  Shared(Sys& sys, ProcFs proc, CensusCadence cadence) : sys(sys), proc(std::move(proc)), cadence(cadence) {}

  static void* thread_main(void* argument);
  void ensure_thread();
  void wake_by(double at_ms);
  void loop();
  double next_look_ms() const;
  void count(const ProcessSpec& spec, bool comes);
  bool should_listen();
  void listen();
  void sleep(int timeout_ms);
  bool is_sought_among(const std::vector<pid_t>& pids);
  void look();
  std::vector<BoundSocket> sockets_sought(const std::vector<Sought>& list, bool all);
  bool is_candidate(const Sought& sought, const Roll& roll, const std::vector<BoundSocket>& sockets) const;

  Sys& sys;
  const ProcFs proc;
  const CensusCadence cadence;
  Wakeup to_census;
  Wakeup to_reactor;

  std::mutex mutex;
  std::condition_variable changed;
  pthread_t thread{};
  bool started = false;
  bool stopping = false;
  bool gone = false;

  std::map<uint64_t, Sought> sought;
  /// The names among them, each with how many seek it, and how many seek by a command line alone.
  std::unordered_map<std::string, size_t> names;
  size_t commands = 0;
  std::vector<Result> results;
  /// Until when the thread sleeps.
  double alarm_ms = INFINITY;
  /// When the next look is due by the cadence.
  double due_ms = INFINITY;
  bool is_urgent = false;
  bool was_unreadable = false;

  /// What callers of fresh() wait for.
  RollNeeds called_for;
  bool is_called = false;
  uint64_t begun = 0, done = 0;
  double looking_since_ms = 0;
  std::shared_ptr<const Roll> latest;
  double latest_expires_ms = 0;

  /// Of the census thread alone.
  std::optional<ExecEvents> events;
  double next_attempt_ms = 0;
};

void* Census::Shared::thread_main(void* argument) {
  const std::unique_ptr<std::shared_ptr<Shared>> self(static_cast<std::shared_ptr<Shared>*>(argument));
  (*self)->loop();
  const std::lock_guard lock((*self)->mutex);
  (*self)->gone = true;
  (*self)->changed.notify_all();
  return nullptr;
}

/// With the mutex held.
void Census::Shared::ensure_thread() {
  if (started || stopping) return;
  auto self = std::make_unique<std::shared_ptr<Shared>>(shared_from_this());
  thread = start_thread("sockmon-census", thread_main, self.get());
  [[maybe_unused]] auto* owned_by_the_thread = self.release();
  started = true;
}

/// With the mutex held.
void Census::Shared::wake_by(double at_ms) {
  if (at_ms >= alarm_ms) return;
  // Whoever comes until then has no need to wake it again.
  alarm_ms = at_ms;
  to_census.wake();
}

double Census::Shared::next_look_ms() const {
  if (is_urgent) return 0;
  return sought.empty() ? INFINITY : due_ms;
}

void Census::Shared::loop() {
  for (;;) {
    // Before a look: what comes during it is heard of.
    listen();
    int timeout_ms = -1;
    {
      const std::lock_guard lock(mutex);
      if (stopping) return;
      const double now_ms = sys.boot_ms();
      if (latest && now_ms >= latest_expires_ms) latest.reset();
      alarm_ms = std::min(next_look_ms(), latest ? latest_expires_ms : INFINITY);
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
bool Census::Shared::should_listen() {
  const std::lock_guard lock(mutex);
  return cadence.events && !stopping && (commands > 0 || !names.empty());
}

void Census::Shared::listen() {
  if (!should_listen()) return events.reset();
  const double now_ms = sys.boot_ms();
  if (events || now_ms < next_attempt_ms) return;
  events = ExecEvents::open();
  if (!events) next_attempt_ms = now_ms + kRefusedMs;
}

void Census::Shared::sleep(int timeout_ms) {
  pollfd polls[] = {{to_census.fd(), POLLIN, 0}, {events ? events->fd() : -1, POLLIN, 0}};
  if (::poll(polls, 2, timeout_ms) <= 0) return;
  if (polls[0].revents != 0) to_census.clear();
  if (polls[1].revents == 0) return;
  std::vector<pid_t> pids;
  // Where some were lost one look makes up for it.
  if (events->take(pids) && !is_sought_among(pids)) return;
  const std::lock_guard lock(mutex);
  is_urgent = true;
}

bool Census::Shared::is_sought_among(const std::vector<pid_t>& pids) {
  Roll roll;
  roll.read_words_of(proc, pids);
  const std::lock_guard lock(mutex);
  if (commands == 0 && !roll.bears_one_of(names)) return false;
  return std::any_of(sought.begin(), sought.end(), [&](const auto& each) {
    return needs_of(*each.second.spec).words && !roll.matching(*each.second.spec).empty();
  });
}

/// With the mutex held.
void Census::Shared::count(const ProcessSpec& spec, bool comes) {
  if (!needs_of(spec).words) return;
  if (!spec.name) {
    commands += comes ? 1 : -1;
    return;
  }
  size_t& many = names[*spec.name];
  many += comes ? 1 : -1;
  if (many == 0) names.erase(*spec.name);
}

void Census::Shared::look() {
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
  latest.reset();
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
std::vector<BoundSocket> Census::Shared::sockets_sought(const std::vector<Sought>& list, bool all) {
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

bool Census::Shared::is_candidate(const Sought& sought, const Roll& roll, const std::vector<BoundSocket>& sockets) const {
  const ProcessSpec& spec = *sought.spec;
  if (spec.pidfile && is_pid_in_use(*spec.pidfile)) return true;
  if (spec.listen) return !roll.holders_of(serving(*spec.listen, sockets)).empty();
  return !spec.pidfile && !roll.matching(spec).empty();
}

Census::Census(Reactor& reactor, Sys& sys, ProcFs proc, CensusCadence cadence)
    : shared_(std::make_shared<Shared>(sys, std::move(proc), cadence)) {
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
  Shared& shared = *census_.shared_;
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
  Shared& shared = *census_.shared_;
  const std::lock_guard lock(shared.mutex);
  const auto sought = shared.sought.find(id_);
  shared.count(*sought->second.spec, false);
  shared.sought.erase(sought);
  // Nobody is told of events any more, nor woken by them.
  if (shared.names.empty() && shared.commands == 0) shared.wake_by(0);
}

void Census::Search::look() {
  Shared& shared = *census_.shared_;
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
  Shared& shared = *shared_;
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
  shared.changed.wait_for(lock, hangs ? std::chrono::milliseconds(0) : kPatience,
                          [&] { return shared.done >= wanted || shared.stopping; });
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
