// What a pidfile says, and whether that is believed.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "base/sys.h"
#include "process/process_spec.h"
#include "process/successor.h"

namespace sockmon {

/// One reading of a pidfile.
struct PidfileWord {
  /// Nothing, with `why_not`: it cannot be read, or holds no pid.
  std::optional<pid_t> pid;
  std::string why_not;
  FileStamp stamp;
  uid_t owner = 0;
  double written_wall_ms = 0;
  /// The file system is empty at each boot, so the file was written in this one.
  bool on_tmpfs = false;
};

/// One open(2), three small calls. A FIFO in its place does not stop it.
PidfileWord read_pidfile(const std::string& path);

/**
 * Judges whether the process that a pidfile names is the one that wrote it.
 *
 * Never believed: pid 1, threads of the kernel, the monitor itself, and a file whose owner is neither root nor the user of the process (as
 * systemd.service(5) has it): whoever may write it would choose what is watched, and killed by a drill.
 *
 * A process that fits the wanted name and command line is believed whatever the clock says: it lives, and is what is wanted. Where neither
 * is given a process that is younger than the file, by any clock that was seen in this boot, is a stranger that got the number of the dead
 * one, unless
 * - the path of the pidfile speaks of it (/run/NAME.pid, /run/NAME/…), or its command line speaks of the file; or
 * - the file is on a tmpfs and from before the boot: then the clock was set since; or
 * - the file is on a tmpfs and no pid can have been given twice in this boot: then it cannot be a stranger.
 */
class PidfileJudge {
 public:
  PidfileJudge(Sys& sys, const ProcFs& proc) : sys_(sys), proc_(proc) {}

  /// Why the process is not believed to be the one, for people; nothing if it is.
  std::optional<std::string> doubt(const ProcessSpec& spec, const PidfileWord& word, const ProcessFacts& facts);

 private:
  bool is_younger(const PidfileWord& word, const ProcessFacts& facts);

  Sys& sys_;
  const ProcFs& proc_;
  /// Wall clock minus CLOCK_BOOTTIME at each look, where it had been set since the one before.
  std::vector<double> boot_wall_ms_;
};

}  // namespace sockmon
