#include "core/resource.h"

#include <algorithm>

#include "base/error.h"
#include "base/reactor.h"
#include "network/link_hub.h"

namespace sockmon {

/// One sensor and its place in the resource.
class Resource::Slot final : public SensorHost {
 public:
  Slot(Resource& resource, int index, const SensorMaker& maker)
      : resource_(resource), index_(index), sensor_(maker.make(resource.world_, *this)) {}

  SensorReport start() { return addressed(sensor_->start()); }
  SensorReport snapshot() { return addressed(sensor_->snapshot()); }
  void doubt() { sensor_->doubt(); }
  bool kill() { return sensor_->kill(); }
  void advise(const Fields& advice) { sensor_->advise(advice); }

  void died(Nature nature) override { resource_.fire_reflex(nature); }
  void doubt_others() override { resource_.doubt_all_but(*this); }
  void report(const SensorReport& report) override {
    // Before this one is believed to be back: a sibling that is dying must not look as if all were well.
    if (report.state == SensorState::up) resource_.doubt_all_but(*this);
    resource_.tell(addressed(report));
    if (report.state == SensorState::down) resource_.doubt_all_but(*this);
  }
  void cause(pid_t pid, ExitCause cause) override {
    resource_.emit_(CauseReport{resource_.name_, index_, pid, cause});
  }
  void ask(std::optional<pid_t> pid) override { resource_.emit_(Question{resource_.name_, index_, pid}); }
  void fault(const std::string& code, const std::string& detail) override {
    // A sensor that tries again every second must not say so every second.
    if (fault_ && fault_->code == code && fault_->detail == detail) return;
    fault_ = std::make_unique<Fault>(
        Fault{resource_.name_, index_, code, detail, resource_.world_.reactor.sys().boot_ms(), true});
    resource_.emit_(*fault_);
  }
  void works() override {
    if (!fault_) return;
    Fault over = std::move(*fault_);
    fault_.reset();
    over.active = false;
    over.at_ms = resource_.world_.reactor.sys().boot_ms();
    resource_.emit_(std::move(over));
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
  /// Told, and not over yet. Apart: few have one, and it is three times as large as all the rest.
  std::unique_ptr<Fault> fault_;
  std::unique_ptr<Sensor> sensor_;
};

Resource::Resource(const SensorWorld& world, const Emit& emit, std::string name, const std::vector<SensorMaker>& sensors)
    : world_(world), emit_(emit), name_(std::move(name)) {
  for (const SensorMaker& maker : sensors) slots_.emplace_back(*this, static_cast<int>(slots_.size()), maker);
}

Resource::~Resource() = default;

std::vector<SensorReport> Resource::start() {
  std::vector<SensorReport> reports;
  for (Slot& slot : slots_) reports.push_back(slot.start());
  return reports;
}

std::vector<SensorReport> Resource::snapshot() {
  std::vector<SensorReport> reports;
  for (Slot& slot : slots_) reports.push_back(slot.snapshot());
  return reports;
}

bool Resource::is_alive() {
  return std::all_of(slots_.begin(), slots_.end(), [](Slot& slot) {
    const SensorReport now = slot.snapshot();
    // With a reason: an interface whose carrier has come back, and that waits for its address.
    return now.state == SensorState::up && now.reason == nullptr;
  });
}

bool Resource::kill() {
  return std::any_of(slots_.begin(), slots_.end(), [](Slot& slot) { return slot.kill(); });
}

void Resource::look() {
  for (Slot& slot : slots_) slot.doubt();
}

void Resource::advise(int sensor, const Fields& advice) {
  if (sensor < 0 || static_cast<size_t>(sensor) >= slots_.size())
    throw Error("ENOENT", name_ + " has no sensor " + std::to_string(sensor));
  std::next(slots_.begin(), sensor)->advise(advice);
}

void Resource::fire_reflex(Nature nature) {
  if (reflex_ && natures_.has(nature)) launched_ = &world_.runs.start(std::move(reflex_));
}

void Resource::doubt_all_but(const Slot& witness) {
  for (Slot& slot : slots_) {
    if (&slot != &witness) slot.doubt();
  }
}

void Resource::tell(SensorReport report) {
  Run* launched = report.state == SensorState::down ? std::exchange(launched_, nullptr) : nullptr;
  if (launched != nullptr) report.reflex = launched->id();
  // Whatever died: what restarts it will need the kernel's lock.
  if (report.state == SensorState::down) world_.hub.check_lock();
  emit_(std::move(report));
  if (launched != nullptr) launched->follow(true);
}

}  // namespace sockmon
