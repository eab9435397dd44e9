#include "process/unit_group.h"

#include <dirent.h>
#include <sys/stat.h>

#include <algorithm>
#include <map>

namespace sockmon {
namespace {

constexpr size_t kProcsLimit = 1 << 20;
/// Slices in slices, or groups in a group: nobody nests deeper, and a circle is not possible.
constexpr int kDeepest = 8;

bool is_folder(const std::string& path) {
  struct stat status {};
  return stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

struct CloseDir {
  void operator()(DIR* dir) const { closedir(dir); }
};

std::vector<std::string> folders_in(const std::string& path) {
  std::vector<std::string> names;
  const std::unique_ptr<DIR, CloseDir> dir(opendir(path.c_str()));
  while (const dirent* entry = dir ? readdir(dir.get()) : nullptr) {
    if (entry->d_type == DT_DIR && entry->d_name[0] != '.') names.emplace_back(entry->d_name);
  }
  return names;
}

/// As systemd escapes a part of a name, systemd.unit(5).
std::string escaped(const std::string& text) {
  std::string result;
  for (size_t i = 0; i < text.size(); i++) {
    const auto c = static_cast<unsigned char>(text[i]);
    const bool plain = isalnum(c) != 0 || c == ':' || c == '_' || (c == '.' && i > 0);
    char hex[8];
    snprintf(hex, sizeof hex, "\\x%02x", c);
    result += plain ? std::string(1, static_cast<char>(c)) : hex;
  }
  return result;
}

/// The unit's folder in this slice or one below it, relative to `root`; "" where there is none.
std::string find_below(const std::string& root, const std::string& slice, const std::string& name, int depth) {
  const std::string here = slice.empty() ? root : root + "/" + slice;
  const std::string before = slice.empty() ? "" : slice + "/";
  // systemd puts a "_" before a name that the kernel could take for one of its own files.
  for (const char* escape : {"", "_"}) {
    if (is_folder(here + "/" + escape + name)) return before + escape + name;
  }
  if (depth == 0) return "";
  for (const std::string& entry : folders_in(here)) {
    if (!ends_with(entry, ".slice")) continue;
    const std::string found = find_below(root, before + entry, name, depth - 1);
    if (!found.empty()) return found;
  }
  return "";
}

void collect_pids(const std::string& folder, std::vector<pid_t>& pids, int depth) {
  const std::string text = read_file(folder + "/cgroup.procs", kProcsLimit).value_or("");
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    // 0 stands for a process outside of our PID namespace.
    const auto pid = parse_number<int>(std::string_view(text).substr(at, end - at));
    if (pid && *pid > 0) pids.push_back(*pid);
    at = end + 1;
  }
  if (depth == 0) return;
  for (const std::string& entry : folders_in(folder)) collect_pids(folder + "/" + entry, pids, depth - 1);
}

/// Where the manager's own tree begins.
std::string base_of(const UnitSpec& spec, uid_t user) {
  if (!spec.of_user) return "";
  const std::string id = std::to_string(user);
  return "user.slice/user-" + id + ".slice/user@" + id + ".service";
}

}  // namespace

std::string default_slice(const UnitSpec& spec) {
  const std::string slice = spec.of_user ? "app" : "system";
  const size_t at = spec.name.find('@');
  if (at == std::string::npos) return slice + ".slice";
  return slice + ".slice/" + slice + "-" + escaped(spec.name.substr(0, at)) + ".slice";
}

UnitGroup::UnitGroup(FolderHub& hub, const ProcFs& proc, UnitSpec spec, UnitPlaces places,
                     std::function<void()> on_change)
    : hub_(hub),
      proc_(proc),
      spec_(std::move(spec)),
      places_(std::move(places)),
      on_change_(std::move(on_change)) {}

/// cgroup v2; its part of a hybrid setup, where systemd keeps its units there; or the v1 hierarchy that bears systemd's name.
std::optional<std::string> UnitGroup::hierarchy() const {
  std::optional<std::string> first;
  for (const char* part : {"", "/unified", "/systemd"}) {
    std::string root = places_.cgroups + part;
    const bool is_root = *part == '\0' ? ::access((root + "/cgroup.controllers").c_str(), F_OK) == 0 : is_folder(root);
    if (!is_root) continue;
    if (is_folder(root + "/system.slice") || is_folder(root + "/init.scope")) return root;
    if (!first) first = std::move(root);
  }
  return first;
}

void UnitGroup::settle(const std::string& place) {
  const size_t begin = std::min(place.find_first_not_of('/'), place.size());
  place_ = place.substr(begin);
  while (ends_with(place_, "/")) place_.pop_back();
  settled_ = true;
}

std::vector<std::string> UnitGroup::parts() const {
  std::vector<std::string> parts;
  for (size_t at = 0; at < place_.size();) {
    const size_t end = std::min(place_.find('/', at), place_.size());
    parts.push_back(place_.substr(at, end - at));
    at = end + 1;
  }
  return parts;
}

void UnitGroup::look() {
  watches_.clear();
  refusal_.reset();
  exists_ = false;
  const std::string runtime = places_.run + (spec_.of_user ? "/user/" + std::to_string(places_.user) : "") + "/systemd/units";
  // A link for each unit that is active, since systemd 235. It comes also where the group has been there all the time, with what the
  // last run has left in it.
  watch(runtime, "invocation:" + spec_.name);
  if (const auto root = hierarchy()) look_below(*root);
  if (refusal_) throw *refusal_;
}

void UnitGroup::look_below(const std::string& root) {
  if (!settled_ && (place_.empty() || !is_folder(root + "/" + place_))) {
    const std::string base = base_of(spec_, places_.user);
    const std::string found = find_below(root, base, spec_.name, kDeepest);
    if (!found.empty()) place_ = found;
    if (place_.empty()) place_ = (base.empty() ? "" : base + "/") + default_slice(spec_) + "/" + spec_.name;
  }
  folder_ = root;
  // Every folder on the way: a slice goes with its last unit.
  for (const std::string& part : parts()) {
    watch(folder_, part);
    folder_ += "/" + part;
  }
  watch(folder_, "cgroup.events");
  exists_ = is_folder(folder_);
}

/// Of the entries in a folder this one counts.
void UnitGroup::watch(const std::string& folder, std::string entry) {
  try {
    watches_.push_back(hub_.watch(folder, [this, entry = std::move(entry)](const std::string& name) {
      if (name.empty() || name == entry || name == "_" + entry) on_change_();
    }));
  } catch (const Error& error) {
    // It may come later; the folder above it tells.
    if (error.code() != "ENOENT" && error.code() != "ENOTDIR" && error.code() != "ENODEV") refusal_ = error;
  }
}

std::optional<Identity> UnitGroup::oldest() const {
  if (!exists_) return std::nullopt;
  std::vector<pid_t> pids;
  collect_pids(folder_, pids, kDeepest);
  std::map<pid_t, ProcessStat> members;
  for (const pid_t pid : pids) {
    auto stat = proc_.stat(pid);
    if (stat && !stat->dead && !(stat->exiting && proc_.is_exiting(pid))) members.emplace(pid, std::move(*stat));
  }
  const ProcessStat* best = nullptr;
  for (const auto& [pid, stat] : members) {
    if (members.count(stat.parent) != 0) continue;
    if (best == nullptr || stat.start_ticks < best->start_ticks) best = &stat;
  }
  if (best == nullptr) return std::nullopt;
  return Identity{best->pid, best->start_ticks};
}

}  // namespace sockmon
