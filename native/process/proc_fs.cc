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
/// include/linux/sched.h; the value has not changed since Linux 2.6.
constexpr uint64_t kPfExiting = 0x4;
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

bool ProcFs::owns_socket(pid_t pid, uint64_t inode) const {
  const std::string directory = path(pid, "/fd");
  std::unique_ptr<DIR, CloseDir> dir(opendir(directory.c_str()));
  if (!dir) return false;
  const std::string wanted = "socket:[" + std::to_string(inode) + "]";
  while (const dirent* entry = readdir(dir.get())) {
    char target[64];
    const ssize_t size = readlinkat(dirfd(dir.get()), entry->d_name, target, sizeof target);
    if (size > 0 && wanted == std::string_view(target, static_cast<size_t>(size))) return true;
  }
  return false;
}

std::string ProcFs::net_table(const std::string& name) const {
  // Of the thread, not of the process: a thread may be in a network namespace of its own.
  return read_file(root_ + "/thread-self/net/" + name, kNetTableLimit).value_or("");
}

}  // namespace sockmon
