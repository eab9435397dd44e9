#include "runs/runs.h"

namespace sockmon {

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

void Runs::run_over(Run& run) {
  runs_.remove_if([&](const std::unique_ptr<Run>& each) { return each.get() == &run; });
}

}  // namespace sockmon
