#include "process/process_finder.h"

#include <linux/magic.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <unordered_map>

#include "base/error.h"

namespace sockmon {
namespace {

/// Start times are in ticks of 10 ms and some file systems stamp whole seconds.
constexpr double kPidfileSlackMs = 2000;
constexpr size_t kPidfileLimit = 64;

Search nothing(std::string why) { return {std::nullopt, std::move(why), ""}; }

double to_ms(const timespec& time) { return static_cast<double>(time.tv_sec) * 1e3 + time.tv_nsec / 1e6; }

bool on_tmpfs(const std::string& path) {
  struct statfs fs {};
  return statfs(path.c_str(), &fs) == 0 && (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC);
}

std::optional<pid_t> parse_pid(std::string text) {
  const char* blank = " \t\r\n";
  text.erase(0, text.find_first_not_of(blank));
  // Some daemons write more lines after the pid.
  text.erase(std::min(text.find_first_of(blank), text.size()));
  const auto pid = parse_number<int>(text);
  if (!pid || *pid <= 0) return std::nullopt;
  return pid;
}

std::string name_and_pid(const std::string& path, pid_t pid) {
  return "process " + std::to_string(pid) + " of " + path;
}

}  // namespace

ProcessFinder::ProcessFinder(Sys& sys, ProcFs proc, std::function<bool(pid_t)> is_script)
    : sys_(sys), proc_(std::move(proc)), is_script_(std::move(is_script)) {}

Search ProcessFinder::find(const ProcessSpec& spec) const {
  if (spec.pidfile) {
    Search search = by_pidfile(spec);
    if (search.found || !spec.listen) return search;
  }
  if (spec.listen) return by_listen(spec);
  if (spec.name) return by_name(*spec.name);
  return nothing("neither a pidfile, a name nor a listening socket is given");
}

std::optional<Identity> ProcessFinder::identify(pid_t pid) const {
  const auto stat = proc_.stat(pid);
  if (!stat || is_dead(*stat)) return std::nullopt;
  return Identity{pid, stat->start_ticks};
}

Search ProcessFinder::by_pidfile(const ProcessSpec& spec) const {
  const std::string& path = *spec.pidfile;
  struct stat file {};
  if (::stat(path.c_str(), &file) != 0) return nothing(path + ": " + strerrordesc_np(errno));
  const auto text = read_file(path, kPidfileLimit);
  if (!text) return nothing(path + ": " + strerrordesc_np(errno));
  const auto pid = parse_pid(*text);
  if (!pid) return nothing(path + " holds no pid");
  Search search = judge_pidfile(path, *pid, file);
  if (!search.found || !spec.name) return search;
  const auto stat = proc_.stat(*pid);
  if (!stat || !has_name(*stat, *spec.name))
    return nothing("stale pidfile: " + name_and_pid(path, *pid) + " is not " + *spec.name);
  return search;
}

Search ProcessFinder::judge_pidfile(const std::string& path, pid_t pid, const struct stat& file) const {
  const auto stat = proc_.stat(pid);
  if (!stat) {
    // Alive by kill(2) but not to be seen: /proc is mounted with hidepid.
    if (sys_.kill(pid, 0) == 0 || errno == EPERM) return unreadable();
    return nothing(name_and_pid(path, pid) + " is gone");
  }
  if (is_dead(*stat)) return nothing(name_and_pid(path, pid) + " is dead, or dying");
  const double boot_wall_ms = sys_.wall_ms() - sys_.boot_ms();
  const double written_ms = to_ms(file.st_mtim);
  const double started_ms = boot_wall_ms + static_cast<double>(stat->start_ticks) * 1e3 / sysconf(_SC_CLK_TCK);
  if (started_ms > written_ms + kPidfileSlackMs) {
    // A tmpfs is empty at boot: a file from before it means that the clock was set since, so its times say nothing.
    if (written_ms >= boot_wall_ms || !on_tmpfs(path))
      return nothing("stale pidfile: " + name_and_pid(path, pid) + " is younger than the file");
  }
  const FileStamp stamp{file.st_ino, file.st_mtim.tv_sec * 1'000'000'000LL + file.st_mtim.tv_nsec};
  return {Found{{pid, stat->start_ticks}, stamp}, "", ""};
}

Search ProcessFinder::by_listen(const ProcessSpec& spec) const {
  const auto inode = listening_inode(proc_, *spec.listen);
  if (!inode) return nothing("nothing listens on " + spec.listen->text);
  Search search = oldest([&](const ProcessStat& stat) {
    // With socket activation the service manager holds the socket too: it is not the server.
    if (stat.pid == 1 || !proc_.owns_socket(stat.pid, *inode)) return false;
    return !spec.name || has_name(stat, *spec.name);
  });
  if (search.found || !search.fault.empty()) return search;
  return nothing("no process that may be looked into owns the socket " + spec.listen->text +
                 (spec.name ? " and is named " + *spec.name : ""));
}

Search ProcessFinder::by_name(const std::string& name) const {
  Search search = oldest(
      [&](const ProcessStat& stat) {
        // A script /etc/init.d/x has the comm of the daemon x that it starts, but its argv[0] is the shell.
        return is_script_(stat.session) ? proc_.argv0_name(stat.pid) == name : has_name(stat, name);
      });
  if (search.found || !search.fault.empty()) return search;
  // Pid 1 always exists: not to see it means not to see the processes of others.
  if (!proc_.stat(1)) return unreadable();
  return nothing("no process is named " + name);
}

bool ProcessFinder::is_dead(const ProcessStat& stat) const {
  return stat.dead || (stat.exiting && proc_.is_exiting(stat.pid));
}

bool ProcessFinder::has_name(const ProcessStat& stat, const std::string& name) const {
  return stat.comm == name || proc_.argv0_name(stat.pid) == name;
}

Search ProcessFinder::unreadable() const {
  return {std::nullopt, proc_.root() + " hides other processes (mount option hidepid)", "EACCES"};
}

template <typename Matches>
Search ProcessFinder::oldest(Matches matches) const {
  const auto pids = proc_.pids();
  if (!pids) return {std::nullopt, proc_.root() + ": " + strerrordesc_np(errno), errno_name(errno)};
  std::unordered_map<pid_t, ProcessStat> hits;
  for (const pid_t pid : *pids) {
    auto stat = proc_.stat(pid);
    if (stat && !is_dead(*stat) && pid != getpid() && matches(*stat)) hits.emplace(pid, std::move(*stat));
  }
  const ProcessStat* best = nullptr;
  for (const auto& [pid, stat] : hits) {
    if (hits.count(stat.parent) != 0) continue;
    const bool older = best == nullptr || stat.start_ticks < best->start_ticks ||
                       (stat.start_ticks == best->start_ticks && pid < best->pid);
    if (older) best = &stat;
  }
  if (best == nullptr) return nothing("");
  return {Found{{best->pid, best->start_ticks}, std::nullopt}, "", ""};
}

}  // namespace sockmon
