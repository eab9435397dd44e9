// What proc_pid_stat(5) and its neighbours say about processes. The root is a parameter so that tests can make one up.
#pragma once
#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sockmon {

struct ProcessStat {
  pid_t pid = 0;
  std::string comm;
  char state = '?';
  pid_t parent = 0;
  pid_t session = 0;
  /// Field 22: start after boot in clock ticks. With the pid it identifies a process.
  uint64_t start_ticks = 0;
  /// Field 52: the wait status of a zombie; 0 also where the kernel hides it.
  int exit_status = 0;
  /// Dead but not reaped. A zombie leader with living threads is not dead yet.
  bool dead = false;
  /// Field 9, PF_EXITING: the task is inside do_exit() and will run no instruction of its program any more.
  bool exiting = false;
  /// Field 23 is 0: do_exit() has let go of the memory, which it does after it has stored the status and before it closes the files.
  bool memory_gone = false;
};

/// Parses one line of /proc/PID/stat; nothing if it is malformed.
std::optional<ProcessStat> parse_stat(std::string_view line);

class ProcFs {
 public:
  explicit ProcFs(std::string root = "/proc") : root_(std::move(root)) {}

  const std::string& root() const { return root_; }
  /// All pids; sets errno and returns nothing if the directory cannot be read.
  std::optional<std::vector<pid_t>> pids() const;
  std::optional<ProcessStat> stat(pid_t pid) const;
  /// Whether every thread is inside do_exit(). The kernel sets the flag before it closes the files: who sees a socket or a tap of the
  /// process go finds it set, while pidfd and waitid(2) speak only when the memory has been torn down (20 ms for slirp4netns).
  bool is_exiting(pid_t pid) const;
  /// The first 4096 bytes of its command line, word by word; empty for a kernel thread or a zombie.
  std::vector<std::string> command_line(pid_t pid) const;
  /// Owner of the process's directory: its effective user id.
  std::optional<uid_t> owner(pid_t pid) const;
  /// Whether an open file of the process is the socket with this inode number.
  bool owns_socket(pid_t pid, uint64_t inode) const;
  /// A table of thread-self/net, e.g. "tcp6"; empty where there is none.
  std::string net_table(const std::string& name) const;

 private:
  std::string path(pid_t pid, const char* file) const;
  std::string root_;
};

/// Reads at most `limit` bytes of a file; nothing (and errno) if it cannot be opened or read.
std::optional<std::string> read_file(const std::string& path, size_t limit);

/// A whole decimal number and nothing else; nothing if it does not fit.
template <typename Number>
std::optional<Number> parse_number(std::string_view text, int base = 10);

}  // namespace sockmon
