#include "process/process_finder.h"

#include <linux/magic.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/error.h"
#include "process/matching.h"

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
  const auto facts = read_facts(proc_, pid);
  if (!facts) return std::nullopt;
  return facts->identity();
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
  const auto facts = read_facts(proc_, *pid);
  if (!facts || !has_name(*facts, *spec.name))
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
  if (!read_facts(proc_, pid)) return nothing(name_and_pid(path, pid) + " is dead, or dying");
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
  Search search = oldest([&](const ProcessFacts& facts) {
    // With socket activation the service manager holds the socket too: it is not the server.
    if (facts.stat.pid == 1 || !proc_.owns_socket(facts.stat.pid, *inode)) return false;
    return !spec.name || has_name(facts, *spec.name);
  });
  if (search.found || !search.fault.empty()) return search;
  return nothing("no process that may be looked into owns the socket " + spec.listen->text +
                 (spec.name ? " and is named " + *spec.name : ""));
}

Search ProcessFinder::by_name(const std::string& name) const {
  Search search = oldest([&](const ProcessFacts& facts) {
    return is_script_(facts.stat.session) ? has_name_in_script(facts, name) : has_name(facts, name);
  });
  if (search.found || !search.fault.empty()) return search;
  // Pid 1 always exists: not to see it means not to see the processes of others.
  if (!proc_.stat(1)) return unreadable();
  return nothing("no process is named " + name);
}

Search ProcessFinder::unreadable() const {
  return {std::nullopt, proc_.root() + " hides other processes (mount option hidepid)", "EACCES"};
}

Search ProcessFinder::oldest(const std::function<bool(const ProcessFacts&)>& matches) const {
  std::vector<ProcessFacts> hits;
  const bool readable = walk_processes(proc_, [&](ProcessFacts&& facts) {
    if (matches(facts)) hits.push_back(std::move(facts));
  });
  if (!readable) return {std::nullopt, proc_.root() + ": " + strerrordesc_np(errno), errno_name(errno)};
  const ProcessFacts* master = oldest_master(hits);
  if (master == nullptr) return nothing("");
  return {Found{master->identity(), std::nullopt}, "", ""};
}

}  // namespace sockmon
