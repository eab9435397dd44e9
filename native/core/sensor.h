// What every source of facts about a resource has in common.
#pragma once
#include <string>

#include "core/event.h"

namespace sockmon {

/// Where a sensor tells what it has seen. The resource and the sensor's index are filled in by the host.
class SensorHost {
 public:
  virtual ~SensorHost() = default;
  /// Sets off the reflex. Called first of all at a death, before anything that takes time; a report with state `down`
  /// must follow.
  virtual void died() = 0;
  virtual void report(const SensorReport& report) = 0;
  virtual void cause(pid_t pid, ExitCause cause) = 0;
  /// The sensor cannot work, or not fully. `code` is an errno name. Told once until it changes.
  virtual void fault(const std::string& code, const std::string& detail) = 0;
};

/// It puts its descriptors into the reactor and reports every change to its host.
class Sensor {
 public:
  virtual ~Sensor() = default;
  /// Arms it in the kernel and says what it sees. Called once; nothing is reported before.
  virtual SensorReport start() = 0;
  /// Reads the facts anew; a change is reported as well.
  virtual SensorReport snapshot() = 0;
  /// Another sensor of the resource has just seen it die or come back: what this one believes may be out of date.
  virtual void doubt() {}
  /// SIGKILL to the process that it watches now. False when it watches none. Throws Error when the kernel refuses.
  virtual bool kill() { return false; }
};

}  // namespace sockmon
