#include "process/proc_fs.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <memory>

#include "base/unique_fd.h"

namespace sockmon {
namespace {

constexpr size_t kStatLimit = 4096;
/// include/linux/sched.h; the values have not changed since Linux 2.6.
constexpr uint64_t kPfExiting = 0x4;
constexpr uint64_t kPfKernelThread = 0x200000;
/// An environment has at most MAX_ARG_STRLEN x many; what is looked for is set by whoever starts a service.
constexpr size_t kEnvironmentLimit = 256 << 10;
constexpr size_t kNetTableLimit = 16 << 20;

struct CloseDir {
  void operator()(DIR* dir) const { closedir(dir); }
};

std::vector<std::string_view> split(std::string_view text) {
  std::vector<std::string_view> words;
  while (!text.empty()) {
    const size_t end = std::min(text.find(' '), text.size());
    if (end > 0) words.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return words;
}

std::optional<std::string> read_link(const std::string& path) {
  char target[4096];
  const ssize_t size = readlink(path.c_str(), target, sizeof target);
  if (size < 0) return std::nullopt;
  return std::string(target, static_cast<size_t>(size));
}

}  // namespace

template <typename Number>
std::optional<Number> parse_number(std::string_view text, int base) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}
template std::optional<int> parse_number<int>(std::string_view, int);
template std::optional<uint16_t> parse_number<uint16_t>(std::string_view, int);
template std::optional<uint32_t> parse_number<uint32_t>(std::string_view, int);
template std::optional<uint64_t> parse_number<uint64_t>(std::string_view, int);

namespace {

/// "socket:[777]"
std::optional<uint64_t> parse_socket(std::string_view target) {
  constexpr std::string_view kBegin = "socket:[";
  if (target.size() <= kBegin.size() || target.substr(0, kBegin.size()) != kBegin || target.back() != ']') return std::nullopt;
  return parse_number<uint64_t>(target.substr(kBegin.size(), target.size() - kBegin.size() - 1));
}

}  // namespace

std::optional<std::string> read_file(const std::string& path, size_t limit) {
  // Non-blocking: a FIFO put in place of a pidfile must not stop the monitor.
  UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (!fd) return std::nullopt;
  std::string text;
  char buffer[4096];
  while (text.size() < limit) {
    const ssize_t got = read(fd.get(), buffer, std::min(sizeof buffer, limit - text.size()));
    if (got == -1 && errno == EINTR) continue;
    if (got < 0) return std::nullopt;
    if (got == 0) break;
    text.append(buffer, static_cast<size_t>(got));
  }
  return text;
}

std::optional<ProcessStat> parse_stat(std::string_view line) {
  while (!line.empty() && (line.back() == '\n' || line.back() == '\0')) line.remove_suffix(1);
  // comm may contain spaces and parentheses: it ends at the last one.
  const size_t open = line.find(" (");
  const size_t close = line.rfind(") ");
  if (open == line.npos || close == line.npos || close < open + 2) return std::nullopt;
  const auto fields = split(line.substr(close + 2));  // fields[0] is field 3
  if (fields.size() < 20) return std::nullopt;
  const auto pid = parse_number<int>(line.substr(0, open));
  const auto flags = parse_number<uint64_t>(fields[6]);
  const auto parent = parse_number<int>(fields[1]);
  const auto session = parse_number<int>(fields[3]);
  const auto threads = parse_number<int>(fields[17]);
  const auto start = parse_number<uint64_t>(fields[19]);
  if (!flags || !pid || !parent || !session || !threads || !start || fields[0].size() != 1) return std::nullopt;
  ProcessStat stat;
  stat.pid = *pid;
  stat.comm = line.substr(open + 2, close - open - 2);
  stat.state = fields[0][0];
  stat.parent = *parent;
  stat.session = *session;
  stat.start_ticks = *start;
  if (fields.size() >= 50) stat.exit_status = parse_number<int>(fields[49]).value_or(0);
  stat.exiting = (*flags & kPfExiting) != 0;
  stat.memory_gone = fields.size() >= 21 && fields[20] == "0";
  stat.kernel_thread = (*flags & kPfKernelThread) != 0;
  if (fields.size() >= 26)
    stat.image = {parse_number<uint64_t>(fields[23]).value_or(0), parse_number<uint64_t>(fields[25]).value_or(0)};
  stat.dead = stat.state == 'X' || (stat.state == 'Z' && *threads <= 1);
  return stat;
}

std::string ProcFs::path(pid_t pid, const char* file) const {
  return root_ + "/" + std::to_string(pid) + file;
}

std::optional<std::vector<pid_t>> ProcFs::pids() const {
  std::unique_ptr<DIR, CloseDir> dir(opendir(root_.c_str()));
  if (!dir) return std::nullopt;
  std::vector<pid_t> pids;
  while (const dirent* entry = readdir(dir.get())) {
    if (const auto pid = parse_number<int>(entry->d_name); pid && *pid > 0) pids.push_back(*pid);
  }
  return pids;
}

std::optional<ProcessStat> ProcFs::stat(pid_t pid) const {
  const auto line = read_file(path(pid, "/stat"), kStatLimit);
  if (!line) return std::nullopt;
  return parse_stat(*line);
}

std::string ProcFs::comm(pid_t pid) const {
  std::string name = read_file(path(pid, "/comm"), kStatLimit).value_or("");
  if (!name.empty() && name.back() == '\n') name.pop_back();
  return name;
}

bool ProcFs::is_exiting(pid_t pid) const {
  const std::string tasks = path(pid, "/task");
  std::unique_ptr<DIR, CloseDir> dir(opendir(tasks.c_str()));
  if (!dir) return false;
  bool any = false;
  while (const dirent* entry = readdir(dir.get())) {
    if (entry->d_name[0] == '.') continue;
    const auto line = read_file(tasks + "/" + entry->d_name + "/stat", kStatLimit);
    if (!line) continue;  // the thread has gone meanwhile
    const auto stat = parse_stat(*line);
    if (!stat || !stat->exiting) return false;
    any = true;
  }
  return any;
}

std::vector<std::string> ProcFs::command_line(pid_t pid) const {
  const std::string text = read_file(path(pid, "/cmdline"), kStatLimit).value_or("");
  std::vector<std::string> words;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\0', begin), text.size());
    words.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return words;
}

std::optional<uid_t> ProcFs::owner(pid_t pid) const {
  struct stat status {};
  if (::stat(path(pid, "").c_str(), &status) != 0) return std::nullopt;
  return status.st_uid;
}

std::string ProcFs::executable(pid_t pid) const {
  std::string target = read_link(path(pid, "/exe")).value_or("");
  // Its file has been replaced since, as at an upgrade.
  constexpr std::string_view kDeleted = " (deleted)";
  if (target.size() > kDeleted.size() && target.compare(target.size() - kDeleted.size(), target.npos, kDeleted) == 0)
    target.resize(target.size() - kDeleted.size());
  return target;
}

bool ProcFs::has_user(pid_t pid, uid_t user) const {
  if (owner(pid) == user) return true;
  const std::string status = read_file(path(pid, "/status"), kStatLimit).value_or("");
  const size_t begin = status.find("\nUid:");
  if (begin == status.npos) return false;
  std::string line = status.substr(begin + 5, status.find('\n', begin + 1) - begin - 5);
  std::replace(line.begin(), line.end(), '\t', ' ');
  const auto users = split(line);
  return std::any_of(users.begin(), users.end(), [&](std::string_view word) { return parse_number<uint32_t>(word) == user; });
}

std::optional<uint64_t> ProcFs::namespace_of(const std::string& link) const {
  // "net:[4026531840]"
  const std::string target = read_link(link).value_or("");
  const size_t open = target.find('[');
  if (open == target.npos || target.back() != ']') return std::nullopt;
  return parse_number<uint64_t>(std::string_view(target).substr(open + 1, target.size() - open - 2));
}

Namespaces ProcFs::namespaces(pid_t pid) const {
  const std::string folder = pid == 0 ? root_ + "/thread-self/ns/" : path(pid, "/ns/");
  return {namespace_of(folder + "pid").value_or(0), namespace_of(folder + "net").value_or(0)};
}

std::vector<uint64_t> ProcFs::sockets_of(pid_t pid, const std::vector<uint64_t>& inodes) const {
  std::vector<uint64_t> owned;
  const std::string directory = path(pid, "/fd");
  std::unique_ptr<DIR, CloseDir> dir(opendir(directory.c_str()));
  if (!dir) return owned;
  while (const dirent* entry = readdir(dir.get())) {
    char target[64];
    const ssize_t size = readlinkat(dirfd(dir.get()), entry->d_name, target, sizeof target);
    const auto inode = size > 0 ? parse_socket({target, static_cast<size_t>(size)}) : std::nullopt;
    if (inode && std::binary_search(inodes.begin(), inodes.end(), *inode)) owned.push_back(*inode);
  }
  return owned;
}

bool ProcFs::is_socket(pid_t pid, int fd, uint64_t inode) const {
  return parse_socket(read_link(path(pid, "/fd/") + std::to_string(fd)).value_or("")) == inode;
}

bool ProcFs::has_variable(pid_t pid, const std::string& variable, const std::string& value) const {
  const std::string wanted = '\0' + variable + '=' + value + '\0';
  return ('\0' + read_file(path(pid, "/environ"), kEnvironmentLimit).value_or("")).find(wanted) != std::string::npos;
}

bool ProcFs::every_pid_is_new() const {
  std::string most = read_file(root_ + "/sys/kernel/pid_max", 32).value_or("");
  most.erase(std::min(most.find('\n'), most.size()));
  const auto pid_max = parse_number<uint64_t>(most);
  // proc_stat(5): "processes" counts threads as well, and those of all PID namespaces, so it is never too small.
  const std::string counts = read_file(root_ + "/stat", kNetTableLimit).value_or("");
  const size_t begin = counts.find("\nprocesses ");
  if (!pid_max || begin == counts.npos) return false;
  const size_t digits = begin + 11;
  const auto forks = parse_number<uint64_t>(std::string_view(counts).substr(digits, counts.find('\n', digits) - digits));
  return forks && *forks < *pid_max;
}

std::string ProcFs::net_table(const std::string& name) const {
  // Of the thread, not of the process: a thread may be in a network namespace of its own.
  return read_file(root_ + "/thread-self/net/" + name, kNetTableLimit).value_or("");
}

}  // namespace sockmon
