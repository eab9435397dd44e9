// What every kind of sensor has in common. A new kind is a file in sensors/ and a line in sensors/table.cc.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "core/event.h"
#include "core/fields.h"
#include "process/roll.h"

namespace sockmon {

class FolderHub;
class LinkHub;
class Reactor;
class Runs;
struct ProcessContext;

/// What sensors are made of: all of it belongs to the monitor thread.
struct SensorWorld {
  Reactor& reactor;
  LinkHub& hub;
  Runs& runs;
  const ProcessContext& processes;
  FolderHub& folders;
};

/// Where a sensor tells what it has seen. The resource and the sensor's index are filled in by the host.
class SensorHost {
 public:
  virtual ~SensorHost() = default;
  /// Sets off the reflex, where it may act at a loss of this nature. Called first of all at a death, before anything that takes time; a
  /// report with state `down` must follow.
  virtual void died(Nature nature) = 0;
  virtual void report(const SensorReport& report) = 0;
  /// Between `died` and a report that has to wait: the others look now, before the script that has been started puts a successor in the place
  /// of what has died with it.
  virtual void doubt_others() = 0;
  virtual void cause(pid_t pid, ExitCause cause) = 0;
  /// Asks for Sensor::advise. `pid`: of the process that has just ended.
  virtual void ask(std::optional<pid_t> pid) = 0;
  /// The sensor cannot work, or not fully. `code` is an errno name. Told once until it changes or is over.
  virtual void fault(const std::string& code, const std::string& detail) = 0;
  /// It works again, or for the first time: what `fault` told is over.
  virtual void works() = 0;
};

/// It puts its descriptors into the reactor and reports every change to its host. It never waits: what needs to is asynchronous on the
/// reactor, or runs on a thread of its own.
class Sensor {
 public:
  virtual ~Sensor() = default;
  /// Arms it in the kernel and says what it sees. Called once; nothing is reported before.
  virtual SensorReport start() = 0;
  /// Reads the facts anew; a change is reported as well.
  virtual SensorReport snapshot() = 0;
  /// Another sensor of the resource has just seen it die or come back: what this one believes may be out of date.
  virtual void doubt() {}
  /// The answer to SensorHost::ask, in fields of its own kind; may come at any time, and again. Throws Error ERR_SOCKMON_ARGUMENT.
  virtual void advise(const Fields& advice) { (void)advice; }
  /// SIGKILL to the process that it watches now. False when it watches none. Throws Error when the kernel refuses.
  virtual bool kill() { return false; }
};

/// Makes a sensor whose settings have been read.
struct SensorMaker {
  using Make = std::function<std::unique_ptr<Sensor>(const SensorWorld&, SensorHost&)>;

  template <typename Call, typename = std::enable_if_t<std::is_invocable_v<Call&, const SensorWorld&, SensorHost&>>>
  SensorMaker(Call make, RollNeeds needs = {}) : make(std::move(make)), needs(needs) {}

  /// Called on the monitor thread.
  Make make;
  /// What it looks through in `start`, made ready before on the thread of whoever asks: so the monitor thread does not wait for /proc.
  RollNeeds needs;
  /// It begins with the state of the network, which is read before on a thread of its own: so the monitor thread does not wait for the kernel.
  bool reads_network = false;
};

/// One kind of sensor.
struct SensorKind {
  const char* name;
  std::vector<const char*> fields;
  std::vector<const Reason*> reasons;
  /// Reads the fields, on the thread of whoever asks. Throws Error ERR_SOCKMON_ARGUMENT.
  SensorMaker (*prepare)(const Fields& fields);
};

}  // namespace sockmon
