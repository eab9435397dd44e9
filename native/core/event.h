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

enum class SensorState {
  /// The first look is still under way, as a connection to another machine: a report with another state follows.
  unknown,
  up,
  absent,
  down,
};

struct SensorReport {
  std::string resource;
  int sensor = 0;
  SensorState state = SensorState::absent;
  double at_ms = 0;
  /// One of the sensor's own kind; null: none.
  const Reason* reason = nullptr;
  std::optional<ExitCause> cause;
  std::optional<pid_t> pid;
  /// Up: the process is a running script for this resource, or has been started by one.
  bool own_run = false;
  std::optional<std::string> interface;
  /// It stays the same when the interface is renamed.
  std::optional<int> interface_index;
  std::optional<bool> carrier;
  std::optional<std::vector<std::string>> addresses;
  /// Other interfaces that a default route leads through, by name.
  std::optional<std::vector<std::string>> standby;
  /// "IPv4", "IPv6": by which traffic is carried, where the loss of one of them is no death.
  std::optional<std::vector<std::string>> families;
  std::string detail;
  std::optional<std::string> reflex;
  /// With `up` after `up`: what it was has ended or is about to, and a living successor has taken its place. Words for a person.
  std::optional<std::string> replaced;
  /// With `down`: who has been left behind and still serves, in words for a person. What becomes of that is told by a further `down`.
  std::optional<std::string> served_by;
  /// With `down`: somebody else is bringing it back, and has so long from `at_ms` on before it counts as a death; the reflex has not been set
  /// off. A further report tells what becomes of it.
  std::optional<double> grace_ms;
  /// With `up` after such a `down`: it is back because somebody has ordered it.
  std::optional<bool> by_order;
};

struct CauseReport {
  std::string resource;
  int sensor = 0;
  pid_t pid = 0;
  ExitCause cause;
};

/// The sensor would like to know what the kernel does not tell; Monitor::advise answers.
struct Question {
  std::string resource;
  int sensor = 0;
  /// The process that has just ended: an answer that names it is out of date.
  std::optional<pid_t> pid;
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

using Event = std::variant<SensorReport, CauseReport, Question, RunStarted, RunEnded, Fault>;

}  // namespace sockmon
