#include "process/pidfile.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/unique_fd.h"
#include "process/process_name.h"

namespace sockmon {
namespace {

/// Start times are in ticks of 10 ms and some file systems stamp whole seconds.
constexpr double kSlackMs = 2000;
constexpr size_t kLimit = 64;
/// A clock that is slewed by NTP drifts; only steps count.
constexpr double kStepMs = 1000;
constexpr size_t kMostClocks = 16;

double to_ms(const timespec& time) { return static_cast<double>(time.tv_sec) * 1e3 + time.tv_nsec / 1e6; }

std::optional<pid_t> parse_pid(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  text.remove_prefix(std::min(text.find_first_not_of(kBlank), text.size()));
  // Some daemons write more lines after the pid.
  const auto pid = parse_number<int>(text.substr(0, text.find_first_of(kBlank)));
  if (!pid || *pid <= 0) return std::nullopt;
  return pid;
}

/// /run/dnsmasq.pid, /run/dnsmasq/main.pid: the path says whose it is.
bool speaks_of(const std::string& path, const ProcessFacts& facts) {
  std::string name(base_name(path));
  if (const size_t dot = name.rfind('.'); dot != name.npos) name.resize(dot);
  const std::string folder(base_name(path.substr(0, std::min(path.rfind('/'), path.size()))));
  const auto is_named = [&](const std::string& word) { return !word.empty() && has_name(facts, word); };
  const bool by_path = is_named(name) || is_named(folder);
  return by_path || std::any_of(facts.argv.begin(), facts.argv.end(),
                                [&](const std::string& word) { return word.find(path) != word.npos; });
}

}  // namespace

PidfileWord read_pidfile(const std::string& path) {
  PidfileWord word;
  const auto failed = [&] {
    word.why_not = path + ": " + strerrordesc_np(errno);
    return word;
  };
  UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  struct stat file {};
  if (!fd || fstat(fd.get(), &file) != 0) return failed();
  char text[kLimit];
  const ssize_t size = retry_eintr([&] { return read(fd.get(), text, sizeof text); });
  if (size < 0) return failed();
  word.pid = parse_pid({text, static_cast<size_t>(size)});
  if (!word.pid) word.why_not = path + " holds no pid";
  word.stamp = {file.st_ino, file.st_mtim.tv_sec * 1'000'000'000LL + file.st_mtim.tv_nsec};
  word.owner = file.st_uid;
  word.written_wall_ms = to_ms(file.st_mtim);
  struct statfs fs {};
  word.on_tmpfs = fstatfs(fd.get(), &fs) == 0 && (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC);
  return word;
}

std::optional<std::string> PidfileJudge::doubt(const ProcessSpec& spec, const PidfileWord& word, const ProcessFacts& facts) {
  const std::string& path = spec.pidfile;
  const std::string process = "process " + std::to_string(facts.stat.pid) + " of " + path;
  if (facts.stat.pid == 1) return process + " is the init of the machine, which is never taken for a service";
  if (facts.stat.kernel_thread) return process + " is a thread of the kernel";
  if (facts.stat.pid == getpid()) return process + " is sockmon itself";
  if (word.owner != 0 && !proc_.has_user(facts.stat.pid, word.owner))
    return path + " belongs neither to root nor to the user of process " + std::to_string(facts.stat.pid) + ", so it is not believed";
  if (spec.has_words()) return std::nullopt;  // its words have been compared
  if (!is_younger(word, facts) || speaks_of(path, facts)) return std::nullopt;
  if (word.on_tmpfs) {
    const double boot_wall_ms = sys_.wall_ms() - sys_.boot_ms();
    if (word.written_wall_ms < boot_wall_ms || proc_.every_pid_is_new()) return std::nullopt;
  }
  return "stale pidfile: " + process + " is younger than the file (if it is the right one, say its name)";
}

bool PidfileJudge::is_younger(const PidfileWord& word, const ProcessFacts& facts) {
  const double now_ms = sys_.wall_ms() - sys_.boot_ms();
  const auto is_known = [&](double known_ms) { return std::abs(known_ms - now_ms) < kStepMs; };
  if (std::none_of(boot_wall_ms_.begin(), boot_wall_ms_.end(), is_known) && boot_wall_ms_.size() < kMostClocks)
    boot_wall_ms_.push_back(now_ms);
  const double started_ms = static_cast<double>(facts.stat.start_ticks) * 1e3 / static_cast<double>(sysconf(_SC_CLK_TCK));
  const auto says_younger = [&](double boot_wall_ms) {
    return boot_wall_ms + started_ms > word.written_wall_ms + kSlackMs;
  };
  return says_younger(now_ms) && std::all_of(boot_wall_ms_.begin(), boot_wall_ms_.end(), says_younger);
}

}  // namespace sockmon
