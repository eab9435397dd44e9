#include "process/matching.h"

#include <unordered_set>

namespace sockmon {
namespace {

std::string base_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

bool is_older(const ProcessStat& one, const ProcessStat& other) {
  return one.start_ticks != other.start_ticks ? one.start_ticks < other.start_ticks : one.pid < other.pid;
}

}  // namespace

bool has_name_in_script(const ProcessFacts& facts, const std::string& name) {
  return !facts.argv.empty() && base_name(facts.argv[0]) == name;
}

bool has_name(const ProcessFacts& facts, const std::string& name) {
  return facts.stat.comm == name || has_name_in_script(facts, name);
}

const ProcessFacts* oldest_master(const std::vector<ProcessFacts>& matches) {
  std::unordered_set<pid_t> pids;
  for (const ProcessFacts& facts : matches) pids.insert(facts.stat.pid);
  const ProcessFacts* oldest = nullptr;
  for (const ProcessFacts& facts : matches) {
    if (pids.count(facts.stat.parent) != 0) continue;
    if (oldest == nullptr || is_older(facts.stat, oldest->stat)) oldest = &facts;
  }
  return oldest;
}

}  // namespace sockmon
