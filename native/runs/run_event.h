// What is told of a script's execution. Times are milliseconds of CLOCK_BOOTTIME.
#pragma once
#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

#include "process/exit_status.h"

namespace sockmon {

struct RunStarted {
  std::string id;
  pid_t pid = 0;
  /// Field 22 of proc_pid_stat(5): with the pid it identifies the process. 0: could not be read.
  uint64_t start_ticks = 0;
  double at_ms = 0;
  bool reflex = false;
  /// Name of the errno when the run file could not be left.
  std::string run_file_error;
};

struct RunEnded {
  std::string id;
  /// What it was run for; may be empty.
  std::string resource;
  double at_ms = 0;
  std::optional<ExitCause> exit;
  std::string spawn_error;
  /// It had to wait for its turn, and its resource was alive when that came: not started.
  bool not_needed = false;
  bool timed_out = false;
  std::string output;
  bool output_truncated = false;
};

/// Who hears of it.
class RunObserver {
 public:
  virtual ~RunObserver() = default;
  virtual void run_started(const RunStarted& started) = 0;
  virtual void run_ended(const RunEnded& ended) = 0;
};

}  // namespace sockmon
