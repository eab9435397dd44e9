#include "process/roll.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "process/matching.h"

namespace sockmon {
namespace {

/// TASK_COMM_LEN is 16 with the terminating zero: of a longer name the rest stands in one of the first words.
constexpr size_t kCommLength = 15;
constexpr size_t kFirstWords = 8;

ProcessFacts glimpse(const ProcFs& proc, pid_t pid) {
  ProcessFacts facts;
  facts.stat.pid = pid;
  facts.stat.comm = proc.comm(pid);
  if (facts.stat.comm.empty()) return facts;  // it has gone
  facts.argv = proc.command_line(pid);
  facts.executable = proc.executable(pid);
  return facts;
}

/// In the middle of execve(2) it has its new executable, but no command line yet.
bool is_half_read(const ProcessFacts& facts) { return facts.argv.empty() && !facts.executable.empty(); }

}  // namespace

RollNeeds needs_of(const ProcessSpec& spec) {
  RollNeeds needs;
  needs.sockets = spec.listen != nullptr;
  needs.words = !spec.listen && spec.pidfile.empty();
  return needs;
}

void Roll::read_words(const ProcFs& proc, const std::function<bool()>& is_over) {
  has_.words = true;
  const auto pids = proc.pids();
  if (!pids) return fail(errno);
  hides_others_ = std::find(pids->begin(), pids->end(), 1) == pids->end();
  read_words_of(proc, *pids, is_over);
}

void Roll::read_words_of(const ProcFs& proc, const std::vector<pid_t>& pids, const std::function<bool()>& is_over) {
  has_.words = true;
  processes_.reserve(pids.size());
  std::vector<pid_t> half_read;
  for (const pid_t pid : pids) {
    if (is_over && is_over()) return;
    if (pid == getpid()) continue;
    ProcessFacts facts = glimpse(proc, pid);
    if (is_half_read(facts)) half_read.push_back(pid);
    else if (!facts.stat.comm.empty()) add(std::move(facts));
  }
  for (const pid_t pid : half_read) {
    ProcessFacts facts = glimpse(proc, pid);
    if (!facts.stat.comm.empty()) add(std::move(facts));
  }
}

bool Roll::bears_one_of(const std::unordered_map<std::string, size_t>& names) const {
  return std::any_of(by_name_.begin(), by_name_.end(), [&](const auto& each) { return names.count(each.first) != 0; });
}

void Roll::add(ProcessFacts facts) {
  const auto index = static_cast<uint32_t>(processes_.size());
  const auto know_as = [&](std::string_view name, bool propose) {
    if (name.empty()) return;
    std::vector<uint32_t>& bearers = by_name_[std::string(name)];
    if (bearers.empty() || bearers.back() != index) bearers.push_back(index);
    if (propose) proposals_.emplace(name, index);
  };
  know_as(facts.stat.comm, true);
  if (!facts.argv.empty()) know_as(base_name(facts.argv[0]), true);
  know_as(script_name(facts), true);
  know_as(base_name(facts.executable), !is_interpreter(facts));
  if (facts.stat.comm.size() == kCommLength) {
    for (size_t i = 0; i < std::min(facts.argv.size(), kFirstWords); i++) know_as(base_name(facts.argv[i]), false);
  }
  lines_.push_back(plain_command(facts));
  processes_.push_back(std::move(facts));
}

void Roll::read_holders(const ProcFs& proc, const std::vector<BoundSocket>& sockets, const std::function<bool()>& is_over) {
  has_.sockets = true;
  const auto inodes = inodes_of(sockets);
  if (inodes.empty()) return;
  const auto pids = proc.pids();
  if (!pids) return fail(errno);
  for (const pid_t pid : *pids) {
    if (is_over && is_over()) return;
    if (pid == getpid()) continue;
    for (const uint64_t inode : proc.sockets_of(pid, inodes)) holders_.emplace_back(inode, pid);
  }
  std::sort(holders_.begin(), holders_.end());
}

std::vector<pid_t> Roll::matching(const ProcessSpec& spec) const {
  std::vector<pid_t> pids;
  if (!spec.name.empty()) {
    const auto bearers = by_name_.find(spec.name);
    if (bearers == by_name_.end()) return pids;
    for (const uint32_t index : bearers->second) {
      if (fits_words(spec, processes_[index], false)) pids.push_back(processes_[index].stat.pid);
    }
    return pids;
  }
  if (spec.command.empty()) return pids;
  const std::string wanted = plain_command(spec.command);
  for (size_t i = 0; i < lines_.size(); i++) {
    if (lines_[i].find(wanted) != std::string::npos) pids.push_back(processes_[i].stat.pid);
  }
  return pids;
}

std::vector<pid_t> Roll::holders_of(const std::vector<BoundSocket>& sockets) const {
  std::vector<pid_t> pids;
  for (const uint64_t inode : inodes_of(sockets)) {
    auto holder = std::lower_bound(holders_.begin(), holders_.end(), std::pair<uint64_t, pid_t>(inode, 0));
    for (; holder != holders_.end() && holder->first == inode; ++holder) pids.push_back(holder->second);
  }
  std::sort(pids.begin(), pids.end());
  pids.erase(std::unique(pids.begin(), pids.end()), pids.end());
  return pids;
}

Roll::Nearest Roll::nearest(const std::string& name) const {
  int best = 0;
  const std::pair<const std::string, uint32_t>* found = nullptr;
  for (const auto& proposal : proposals_) {
    const int score = likeness(proposal.first, name);
    if (score == 0 || score < best) continue;
    // Of equals the longer name, and then the older process, so that the answer does not depend on the order.
    const auto rank = [](const auto& one) { return std::pair(one.first.size(), ~one.second); };
    if (score == best && rank(proposal) < rank(*found)) continue;
    best = score;
    found = &proposal;
  }
  return found == nullptr ? "" : found->first + ", " + process_words(processes_[found->second]);
}

}  // namespace sockmon
