// What the monitor tells: the output half of native/index.d.ts. Times are milliseconds of CLOCK_BOOTTIME.
#pragma once
#include <sys/types.h>

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/reason.h"
#include "process/exit_status.h"
#include "runs/run_event.h"

namespace sockmon {

enum class SensorState { up, absent, down };

struct SensorReport {
  std::string resource;
  int sensor = 0;
  SensorState state = SensorState::absent;
  double at_ms = 0;
  /// One of the sensor's own kind; null: none.
  const Reason* reason = nullptr;
  std::optional<ExitCause> cause;
  std::optional<pid_t> pid;
  std::optional<std::string> interface;
  std::optional<bool> carrier;
  std::optional<std::vector<std::string>> addresses;
  std::string detail;
  /// With `up`, for people: a living successor has taken over, and nothing was down.
  std::string replaced;
  std::optional<std::string> reflex;
};

struct CauseReport {
  std::string resource;
  int sensor = 0;
  pid_t pid = 0;
  ExitCause cause;
};

struct Fault {
  std::optional<std::string> resource;
  std::optional<int> sensor;
  std::string code;
  std::string detail;
  double at_ms = 0;
  /// False: what was told before with this sensor is over.
  bool active = true;
};

using Event = std::variant<SensorReport, CauseReport, RunStarted, RunEnded, Fault>;

}  // namespace sockmon
