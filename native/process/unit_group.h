// The control group of a systemd unit: where it is, who is in it, and when that changes.
#pragma once
#include <sys/types.h>
#include <unistd.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/folder_hub.h"
#include "process/proc_fs.h"
#include "process/process_finder.h"

namespace sockmon {

struct UnitSpec {
  /// With its suffix, e.g. "dnsmasq.service".
  std::string name;
  /// Of the manager of `UnitPlaces::user` instead of the system's.
  bool of_user = false;
};

/// Parameters so that tests can make them up.
struct UnitPlaces {
  std::string cgroups = "/sys/fs/cgroup";
  std::string run = "/run";
  uid_t user = geteuid();
};

class UnitGroup {
 public:
  /// `on_change` is called when the group may have come, gone, been filled or emptied, or the manager has started or left the unit: a hint,
  /// look anew.
  UnitGroup(FolderHub& hub, const ProcFs& proc, UnitSpec spec, UnitPlaces places, std::function<void()> on_change);

  /// The manager's own word, `ControlGroup=` of systemctl(1) show: a path from the root of the hierarchy.
  void settle(const std::string& place);
  /// Finds the folder and watches it and those above it. Throws Error when the kernel gives no watch (EMFILE, ENOSPC); it has looked all the
  /// same.
  void look();
  /// Whether the folder of the group is there, as look() has found it.
  bool exists() const { return exists_; }
  /// The living member that has no parent among the members, the oldest of several: what the manager would guess as well.
  std::optional<Identity> oldest() const;

 private:
  std::optional<std::string> hierarchy() const;
  std::vector<std::string> parts() const;
  void look_below(const std::string& root);
  void watch(const std::string& folder, std::string entry);

  FolderHub& hub_;
  const ProcFs& proc_;
  const UnitSpec spec_;
  const UnitPlaces places_;
  const std::function<void()> on_change_;
  /// Below the hierarchy, without a slash at either end.
  std::string place_;
  /// The manager has said so: it is not looked for elsewhere.
  bool settled_ = false;
  std::string folder_;
  bool exists_ = false;
  std::optional<Error> refusal_;
  std::vector<std::unique_ptr<FolderHub::Watch>> watches_;
};

/// The slices that a unit stands in when nobody says otherwise, systemd.slice(5): "system.slice", "system.slice/system-wg.slice" for an
/// instance.
std::string default_slice(const UnitSpec& spec);

}  // namespace sockmon
