// A watched resource: its sensors, and the reflex that the first death sets off.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "core/sensor.h"
#include "network/link_hub.h"
#include "runs/runs.h"
#include "sensors/process.h"

namespace sockmon {

/// What sensors are made of.
struct SensorWorld {
  Reactor& reactor;
  LinkHub& hub;
  Runs& runs;
  const ProcessContext& processes;
};

class Resource {
 public:
  using Emit = Runs::Emit;
  Resource(SensorWorld world, std::string name, const std::vector<SensorSpec>& specs, Emit emit);
  ~Resource();
  Resource(const Resource&) = delete;
  Resource& operator=(const Resource&) = delete;

  std::vector<SensorReport> start();
  std::vector<SensorReport> snapshot();
  /// SIGKILL to the process of the first sensor that watches one. False when none does.
  bool kill();
  /// Its script is over: what that has started is to be found now, and not when the back-off says so.
  void look();
  /// With nothing: disarms.
  void arm_reflex(std::unique_ptr<Run> run) { reflex_ = std::move(run); }

 private:
  class Slot;

  /// posix_spawn first; who died is told after it.
  void fire_reflex();
  void tell(SensorReport report);
  void doubt_all_but(const Slot& witness);

  SensorWorld world_;
  const std::string name_;
  Emit emit_;
  std::unique_ptr<Run> reflex_;
  /// Started, but not told of yet.
  Run* launched_ = nullptr;
  std::vector<std::unique_ptr<Slot>> slots_;
};

}  // namespace sockmon
