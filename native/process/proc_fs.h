// What proc_pid_stat(5) and its neighbours say about processes. The root is a parameter so that tests can make one up.
#pragma once
#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sockmon {

/// Where the kernel has put a program into memory at its execve(2). A fork has the places of its parent, for ever; a second execution has
/// others, because they are drawn by lot (randomize_va_space). 0: hidden from us, or a kernel thread.
struct Image {
  uint64_t code = 0;
  uint64_t stack = 0;
  bool known() const { return stack != 0; }
  bool operator==(const Image& other) const { return code == other.code && stack == other.stack; }
};

/// Inode numbers of /proc/PID/ns; 0: hidden from us.
struct Namespaces {
  uint64_t pid = 0;
  uint64_t net = 0;
};

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
  /// Field 9, PF_KTHREAD.
  bool kernel_thread = false;
  /// Fields 26 and 28.
  Image image;
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
  /// Its name as the kernel has it, 15 bytes at most; empty if it is gone. A fifth of what `stat` costs.
  std::string comm(pid_t pid) const;
  /// Whether every thread is inside do_exit(). The kernel sets the flag before it closes the files: who sees a socket or a tap of the
  /// process go finds it set, while pidfd and waitid(2) speak only when the memory has been torn down (20 ms for slirp4netns).
  bool is_exiting(pid_t pid) const;
  /// The first 4096 bytes of its command line, word by word; empty for a kernel thread or a zombie.
  std::vector<std::string> command_line(pid_t pid) const;
  /// The file that it executes, without " (deleted)"; empty where that may not be read.
  std::string executable(pid_t pid) const;
  /// Owner of the process's directory: its effective user id. Also of a zombie.
  std::optional<uid_t> owner(pid_t pid) const;
  /// Whether it is one of the process's user ids: real, effective, saved or that for files.
  bool has_user(pid_t pid, uid_t user) const;
  /// Of a process; of the calling thread for pid 0, which may be in a network namespace of its own.
  Namespaces namespaces(pid_t pid) const;
  /// Which of these sockets (inode numbers, ascending) are open files of the process.
  std::vector<uint64_t> sockets_of(pid_t pid, const std::vector<uint64_t>& inodes) const;
  /// Whether file descriptor `fd` of the process is the socket with this inode number.
  bool is_socket(pid_t pid, int fd, uint64_t inode) const;
  /// Whether a variable of the environment that it was started with has this value.
  bool has_variable(pid_t pid, const std::string& variable, const std::string& value) const;
  /// Whether so few processes have been made since boot that no pid can have been given twice. False where that cannot be known.
  bool every_pid_is_new() const;
  /// A table of thread-self/net, e.g. "tcp6"; empty where there is none.
  std::string net_table(const std::string& name) const;

 private:
  std::string path(pid_t pid, const char* file) const;
  std::optional<uint64_t> namespace_of(const std::string& link) const;
  std::string root_;
};

/// Reads at most `limit` bytes of a file; nothing (and errno) if it cannot be opened or read.
std::optional<std::string> read_file(const std::string& path, size_t limit);

/// A whole decimal number and nothing else; nothing if it does not fit.
template <typename Number>
std::optional<Number> parse_number(std::string_view text, int base = 10);

}  // namespace sockmon
