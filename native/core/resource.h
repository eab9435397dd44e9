// A watched resource: its sensors, and the reflex that the first death sets off.
#pragma once
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "core/sensor.h"
#include "runs/runs.h"

namespace sockmon {

class Resource {
 public:
  using Emit = std::function<void(Event)>;
  /// `world` and `emit` outlive it.
  Resource(const SensorWorld& world, const Emit& emit, std::string name, const std::vector<SensorMaker>& sensors);
  ~Resource();
  Resource(const Resource&) = delete;
  Resource& operator=(const Resource&) = delete;

  const std::string& name() const { return name_; }
  std::vector<SensorReport> start();
  std::vector<SensorReport> snapshot();
  /// Whether every sensor finds it alive, and whole, now. What has changed is reported.
  bool is_alive();
  /// SIGKILL to the process of the first sensor that watches one. False when none does.
  bool kill();
  /// Its script is over: what that has started is to be found now, and not when the back-off says so.
  void look();
  /// Throws Error ENOENT when there is no such sensor, ERR_SOCKMON_ARGUMENT for fields that are not of its kind.
  void advise(int sensor, const Fields& advice);
  /// With nothing: disarms.
  void arm_reflex(std::unique_ptr<Run> run, Natures natures) {
    reflex_ = std::move(run);
    natures_ = natures;
  }

 private:
  class Slot;

  /// posix_spawn first; who died is told after it.
  void fire_reflex(Nature nature);
  void tell(SensorReport report);
  void doubt_all_but(const Slot& witness);

  const SensorWorld& world_;
  const Emit& emit_;
  const std::string name_;
  std::unique_ptr<Run> reflex_;
  /// At which losses it may act.
  Natures natures_;
  /// Started, but not told of yet.
  Run* launched_ = nullptr;
  /// A list, since sensors hold their slots.
  std::list<Slot> slots_;
};

}  // namespace sockmon
