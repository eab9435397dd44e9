#include "runs/runs.h"

#include <algorithm>

namespace sockmon {
namespace {

constexpr int kMostGenerations = 100;

}  // namespace

Runs::Runs(Reactor& reactor, const ProcFs& proc, RunObserver& observer, IsAlive is_alive)
    : reactor_(reactor), proc_(proc), observer_(observer), is_alive_(std::move(is_alive)) {}

std::unique_ptr<Run> Runs::prepare(RunSpec spec) {
  auto prepared = std::make_unique<PreparedRun>(reactor_.sys(), std::move(spec));
  RunHost& host = *this;
  return std::make_unique<Run>(reactor_, proc_, host, std::move(prepared));
}

Run& Runs::start(std::unique_ptr<Run> run) {
  if (!end_others(*run)) {
    last_start_ms_ = reactor_.sys().boot_ms();
    run->start();
  }
  return *runs_.emplace_back(std::move(run));
}

/// False if there is none to wait for.
bool Runs::end_others(const Run& run) {
  if (run.resource().empty()) return false;
  // One that waits is over when it is told to end, and leaves the list.
  std::vector<Run*> others;
  for (const auto& each : runs_) {
    if (each->resource() == run.resource() && (each->running() || each->waiting())) others.push_back(each.get());
  }
  bool must_wait = false;
  for (Run* other : others) {
    must_wait = must_wait || (other->running() && !other->stuck());
    other->end();
  }
  return must_wait;
}

void Runs::run_ended(const RunEnded& ended) {
  observer_.run_ended(ended);
  next_turn(ended.resource);
}

void Runs::run_stuck(Run& run) { next_turn(run.resource()); }

void Runs::next_turn(const std::string& resource) {
  Run* next = nullptr;
  for (const auto& run : runs_) {
    if (run->resource() != resource) continue;
    if (run->running() && !run->stuck()) return;
    if (run->waiting()) next = run.get();
  }
  if (next == nullptr) return;
  // Some time has passed since somebody looked.
  if (next->is_for_the_dead_only() && is_alive_(resource)) return next->not_needed();
  last_start_ms_ = reactor_.sys().boot_ms();
  next->start_late();
}

bool Runs::adopt(const AdoptSpec& spec) {
  for (const auto& run : runs_) {
    if (run->id() == spec.id) return run->running();
  }
  // The pidfd first: what is looked at afterwards is the process that it holds.
  UniqueFd pidfd(reactor_.sys().pidfd_open(spec.pid));
  const auto stat = proc_.stat(spec.pid);
  // A script leads its session, and who leads one cannot leave it.
  if (!stat || stat->dead || stat->start_ticks != spec.start_ticks || stat->session != spec.pid) return false;
  RunHost& host = *this;
  runs_.push_back(std::make_unique<Run>(reactor_, proc_, host, spec, std::move(pidfd)));
  return true;
}

void Runs::end(const std::string& id) {
  const auto found = std::find_if(runs_.begin(), runs_.end(), [&](const auto& run) { return run->id() == id; });
  if (found != runs_.end()) (*found)->end();
}

bool Runs::is_script(pid_t session) const {
  for (const auto& run : runs_) {
    if (run->running() && run->pid() == session) return true;
  }
  return false;
}

bool Runs::has_started(pid_t pid, const std::string& resource) const {
  std::vector<pid_t> scripts;
  for (const auto& run : runs_) {
    if (run->running() && run->resource() == resource) scripts.push_back(run->pid());
  }
  const auto is_script = [&](pid_t one) { return std::find(scripts.begin(), scripts.end(), one) != scripts.end(); };
  // A number that comes round again while one climbs must not make a circle.
  for (int generation = 0; !scripts.empty() && pid > 1 && generation < kMostGenerations; generation++) {
    const auto stat = proc_.stat(pid);
    if (!stat) return false;
    if (is_script(pid) || is_script(stat->session)) return true;
    pid = stat->parent;
  }
  return false;
}

void Runs::run_over(Run& run) {
  runs_.remove_if([&](const std::unique_ptr<Run>& each) { return each.get() == &run; });
}

}  // namespace sockmon
