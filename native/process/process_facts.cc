#include "process/process_facts.h"

#include <unistd.h>

namespace sockmon {

std::optional<ProcessFacts> read_living(const ProcFs& proc, pid_t pid) {
  auto stat = proc.stat(pid);
  if (!stat || stat->dead || (stat->exiting && proc.is_exiting(pid))) return std::nullopt;
  ProcessFacts facts;
  facts.stat = std::move(*stat);
  facts.argv = proc.command_line(pid);
  facts.executable = proc.executable(pid);
  return facts;
}

std::optional<ProcessFacts> read_facts(const ProcFs& proc, pid_t pid) {
  auto facts = read_living(proc, pid);
  // It is told what it executes, but has no stack yet.
  if (facts && !facts->executable.empty() && !facts->stat.image.known()) return std::nullopt;
  return facts;
}

void read_origin(const ProcFs& proc, ProcessFacts& facts) {
  facts.user = proc.owner(facts.stat.pid);
  facts.namespaces = proc.namespaces(facts.stat.pid);
}

bool walk_processes(const ProcFs& proc, const std::function<void(ProcessFacts&&)>& visit) {
  const auto pids = proc.pids();
  if (!pids) return false;
  for (const pid_t pid : *pids) {
    if (pid == getpid()) continue;
    if (auto facts = read_facts(proc, pid)) visit(std::move(*facts));
  }
  return true;
}

}  // namespace sockmon
