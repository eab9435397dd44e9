// What the monitor tells: the output half of native/index.d.ts. Times are milliseconds of CLOCK_BOOTTIME.
#pragma once
#include <sys/types.h>

#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace sockmon {

struct ExitCause {
  enum class Kind { unknown, exit, signal };
  Kind kind = Kind::unknown;
  /// The exit code or the signal number.
  int value = 0;
  bool core_dumped = false;

  bool known() const { return kind != Kind::unknown; }
};

enum class SensorState { up, absent, down };

enum class DownReason {
  process_exit,
  interface_gone,
  interface_down,
  no_address,
  no_default_route,
  no_carrier,
  probe_failed,
};

struct SensorReport {
  std::string resource;
  int sensor = 0;
  SensorState state = SensorState::absent;
  double at_ms = 0;
  std::optional<DownReason> reason;
  std::optional<ExitCause> cause;
  std::optional<pid_t> pid;
  /// Up: the process is a running script for this resource, or has been started by one.
  bool own_run = false;
  std::optional<std::string> interface;
  std::optional<bool> carrier;
  std::optional<std::vector<std::string>> addresses;
  std::string detail;
  std::optional<std::string> reflex;
};

struct CauseReport {
  std::string resource;
  int sensor = 0;
  pid_t pid = 0;
  ExitCause cause;
};

struct RunStarted {
  std::string id;
  pid_t pid = 0;
  double at_ms = 0;
  bool reflex = false;
};

struct RunEnded {
  std::string id;
  /// What it was run for; may be empty.
  std::string resource;
  double at_ms = 0;
  std::optional<ExitCause> exit;
  std::string spawn_error;
  bool timed_out = false;
  std::string output;
  bool output_truncated = false;
};

struct Fault {
  std::optional<std::string> resource;
  std::optional<int> sensor;
  std::string code;
  std::string detail;
  double at_ms = 0;
};

using Event = std::variant<SensorReport, CauseReport, RunStarted, RunEnded, Fault>;

}  // namespace sockmon
