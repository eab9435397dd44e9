// What is known of one process at one moment: plain values, so that judging it reads no file.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "process/proc_fs.h"

namespace sockmon {

/// Pid and start time: the pid alone comes round again.
struct Identity {
  pid_t pid = 0;
  uint64_t start_ticks = 0;
  bool operator==(const Identity& other) const {
    return pid == other.pid && start_ticks == other.start_ticks;
  }
};

struct ProcessFacts {
  ProcessStat stat;
  /// Its command line, as the program has it now; empty for a kernel thread.
  std::vector<std::string> argv;
  /// Path of the file that it executes; empty where that is hidden.
  std::string executable;
  /// Effective user id; like the namespaces read by `read_origin`, since only few are asked for it.
  std::optional<uid_t> user;
  Namespaces namespaces;

  Identity identity() const { return {stat.pid, stat.start_ticks}; }
};

/// What the kernel says of a living process; nothing for one that is dead or inside do_exit().
std::optional<ProcessStat> living_stat(const ProcFs& proc, pid_t pid);
/// A living process; nothing for one that is dead or inside do_exit(). In the middle of execve(2) it has no image, and the words of before.
std::optional<ProcessFacts> read_living(const ProcFs& proc, pid_t pid);
/// The same, and nothing for one in the middle of execve(2): what it will be is seen at the next look.
std::optional<ProcessFacts> read_facts(const ProcFs& proc, pid_t pid);
/// Whether it lives and is in the middle of execve(2): what it will be is seen at the next look.
bool is_executing(const ProcFs& proc, pid_t pid);
/// Completes it with its user and its namespaces.
void read_origin(const ProcFs& proc, ProcessFacts& facts);

/// Shows every living process but the monitor's own. Sets errno and returns false if the directory of processes cannot be read.
bool walk_processes(const ProcFs& proc, const std::function<void(ProcessFacts&&)>& visit);

}  // namespace sockmon
