#include "core/resource.h"

#include <algorithm>

#include "sensors/link.h"
#include "sensors/stack.h"

namespace sockmon {

/// One sensor and its place in the resource.
class Resource::Slot final : public SensorHost {
 public:
  Slot(Resource& resource, int index, const SensorSpec& spec) : resource_(resource), index_(index) {
    const SensorWorld& world = resource.world_;
    if (const auto* process = std::get_if<ProcessSpec>(&spec))
      sensor_ = std::make_unique<ProcessSensor>(world.reactor, *this, world.processes, *process);
    else if (const auto* link = std::get_if<LinkSpec>(&spec))
      sensor_ = std::make_unique<LinkSensor>(world.reactor, world.hub, *this, *link);
    else
      sensor_ = std::make_unique<StackSensor>(world.reactor, world.hub, *this, std::get<StackSpec>(spec));
  }

  SensorReport start() { return addressed(sensor_->start()); }
  SensorReport snapshot() { return addressed(sensor_->snapshot()); }
  void doubt() { sensor_->doubt(); }
  bool kill() { return sensor_->kill(); }

  void died() override { resource_.fire_reflex(); }
  void report(const SensorReport& report) override {
    // Before this one is believed to be back: a sibling that is dying must not look as if all were well.
    if (report.state == SensorState::up) {
      last_fault_.clear();
      resource_.doubt_all_but(*this);
    }
    resource_.tell(addressed(report));
    if (report.state == SensorState::down) resource_.doubt_all_but(*this);
  }
  void cause(pid_t pid, ExitCause cause) override {
    resource_.emit_(CauseReport{resource_.name_, index_, pid, cause});
  }
  void fault(const std::string& code, const std::string& detail) override {
    // A sensor that tries again every second must not say so every second.
    if (last_fault_ == code + detail) return;
    last_fault_ = code + detail;
    resource_.emit_(Fault{resource_.name_, index_, code, detail, resource_.world_.reactor.sys().boot_ms()});
  }

 private:
  SensorReport addressed(SensorReport report) const {
    report.resource = resource_.name_;
    report.sensor = index_;
    report.own_run = report.state == SensorState::up && report.pid &&
                     resource_.world_.runs.has_started(*report.pid, resource_.name_);
    return report;
  }

  Resource& resource_;
  const int index_;
  std::string last_fault_;
  std::unique_ptr<Sensor> sensor_;
};

Resource::Resource(SensorWorld world, std::string name, const std::vector<SensorSpec>& specs, Emit emit)
    : world_(world), name_(std::move(name)), emit_(std::move(emit)) {
  for (const SensorSpec& spec : specs)
    slots_.push_back(std::make_unique<Slot>(*this, static_cast<int>(slots_.size()), spec));
}

Resource::~Resource() = default;

std::vector<SensorReport> Resource::start() {
  std::vector<SensorReport> reports;
  for (const auto& slot : slots_) reports.push_back(slot->start());
  return reports;
}

std::vector<SensorReport> Resource::snapshot() {
  std::vector<SensorReport> reports;
  for (const auto& slot : slots_) reports.push_back(slot->snapshot());
  return reports;
}

bool Resource::kill() {
  return std::any_of(slots_.begin(), slots_.end(), [](const auto& slot) { return slot->kill(); });
}

void Resource::look() {
  for (const auto& slot : slots_) slot->doubt();
}

void Resource::fire_reflex() {
  if (reflex_) launched_ = &world_.runs.start(std::move(reflex_));
}

void Resource::doubt_all_but(const Slot& witness) {
  for (const auto& slot : slots_) {
    if (slot.get() != &witness) slot->doubt();
  }
}

void Resource::tell(SensorReport report) {
  Run* launched = report.state == SensorState::down ? std::exchange(launched_, nullptr) : nullptr;
  if (launched != nullptr) report.reflex = launched->id();
  emit_(std::move(report));
  if (launched != nullptr) launched->follow(true);
}

}  // namespace sockmon
