#include "process/process_facts.h"

#include <unistd.h>

namespace sockmon {

std::optional<ProcessStat> living_stat(const ProcFs& proc, pid_t pid) {
  auto stat = proc.stat(pid);
  if (!stat || stat->dead || (stat->exiting && proc.is_exiting(pid))) return std::nullopt;
  return stat;
}

namespace {

/// It is told what it executes, but has no stack yet.
bool is_halfway(const ProcessStat& stat, const std::string& executable) { return !executable.empty() && !stat.image.known(); }

}  // namespace

std::optional<ProcessFacts> read_living(const ProcFs& proc, pid_t pid) {
  auto stat = living_stat(proc, pid);
  if (!stat) return std::nullopt;
  ProcessFacts facts;
  facts.stat = std::move(*stat);
  facts.argv = proc.command_line(pid);
  facts.executable = proc.executable(pid);
  return facts;
}

std::optional<ProcessFacts> read_facts(const ProcFs& proc, pid_t pid) {
  auto facts = read_living(proc, pid);
  if (facts && is_halfway(facts->stat, facts->executable)) return std::nullopt;
  return facts;
}

bool is_executing(const ProcFs& proc, pid_t pid) {
  const auto stat = living_stat(proc, pid);
  return stat && is_halfway(*stat, proc.executable(pid));
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
