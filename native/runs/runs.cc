#include "runs/runs.h"

#include <algorithm>

namespace sockmon {
namespace {

constexpr int kMostGenerations = 100;

}  // namespace

Runs::Runs(Reactor& reactor, const ProcFs& proc, RunObserver& observer)
    : reactor_(reactor), proc_(proc), observer_(observer) {}

std::unique_ptr<Run> Runs::prepare(RunSpec spec) {
  auto prepared = std::make_unique<PreparedRun>(reactor_.sys(), std::move(spec));
  RunHost& host = *this;
  return std::make_unique<Run>(reactor_, proc_, host, std::move(prepared));
}

Run& Runs::start(std::unique_ptr<Run> run) {
  last_start_ms_ = reactor_.sys().boot_ms();
  run->start();
  return *runs_.emplace_back(std::move(run));
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
  for (const auto& run : runs_) {
    if (run->id() == id) run->end();
  }
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
