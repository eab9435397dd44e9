#include "sensors/stack.h"

#include <algorithm>

#include "base/error.h"
#include "sensors/kernel_lock.h"

namespace sockmon {
namespace {

/// While it does not answer, so that its return is soon noticed.
constexpr double kMissingProbeMs = 1000;
/// Its index, in every network namespace.
constexpr int kLoopback = 1;

/// Our own lack of descriptors, or of places in the epoll set, says nothing about the stack.
bool is_our_own_trouble(int error) { return error == EMFILE || error == ENFILE || error == ENOSPC; }

}  // namespace

SensorKind stack_kind() {
  return {"stack", {"everyMs"}, {&kProbeFailed, &kKernelLocked}, [](const Fields& fields) {
            return watch_stack({fields.milliseconds("everyMs", 1, StackSpec().every_ms)});
          }};
}

SensorMaker watch_stack(StackSpec spec) {
  return [spec](const SensorWorld& world, SensorHost& host) -> std::unique_ptr<Sensor> {
    return std::make_unique<StackSensor>(world.reactor, world.hub, host, spec);
  };
}

StackSensor::StackSensor(Reactor& reactor, LinkHub& hub, SensorHost& host, StackSpec spec)
    : reactor_(reactor),
      hub_(hub),
      host_(host),
      spec_(spec),
      probe_(reactor, [this](int error) { on_answer(error); }),
      timer_(reactor, [this] {
        probe_.ask();
        // The machine is awake for the probe already.
        hub_.check_lock();
      }) {}

StackSensor::~StackSensor() { hub_.unsubscribe(this); }

SensorReport StackSensor::start() {
  hub_.subscribe(this);
  probe_.ask();
  if (probe_.waiting()) current_.state = SensorState::unknown;
  started_ = true;
  return report();
}

SensorReport StackSensor::snapshot() {
  probe_.ask();
  SensorReport now = report();
  now.at_ms = reactor_.sys().boot_ms();
  return now;
}

SensorReport StackSensor::report() const { return under_lock(hub_, current_); }

void StackSensor::on_lock() {
  SensorReport now = report();
  now.at_ms = reactor_.now_ms();
  host_.report(now);
}

void StackSensor::on_network(const NetworkStore&, const NetworkChanges& changes) {
  if (hub_fault_) {
    hub_fault_ = false;
    if (!own_trouble_) host_.works();
  }
  // Nothing else is on the way of a probe, and a container more or less makes six changes.
  if (changes.everything || changes.touches(kLoopback) || (changes.what & Change::kRule) != 0) probe_.ask();
}

void StackSensor::on_hub_fault(const std::string& code, const std::string& detail) {
  hub_fault_ = true;
  host_.fault(code, "The stack is probed by the clock only. " + detail);
}

void StackSensor::on_answer(int error) {
  // One that is lost may have met a busy moment: a second one decides.
  const bool may_be_chance = error != 0 && current_.state == SensorState::up && !asked_twice_;
  asked_twice_ = may_be_chance;
  if (may_be_chance) return probe_.ask();
  if (is_our_own_trouble(error)) {
    host_.fault(errno_name(error), std::string("The stack cannot be probed: ") + strerrordesc_np(error) +
                                       ". Raise LimitNOFILE of the service.");
  } else {
    if (own_trouble_ && !hub_fault_) host_.works();
    judge(error);
  }
  own_trouble_ = is_our_own_trouble(error);
  timer_.arm(error == 0 ? spec_.every_ms : std::min(spec_.every_ms, kMissingProbeMs));
}

void StackSensor::judge(int error) {
  const SensorState before = current_.state;
  const double at_ms = reactor_.sys().boot_ms();
  const std::string detail = error == 0 ? "" : errno_name(error);
  if (error == 0) {
    if (before == SensorState::up) return;
    current_ = {};
    current_.state = SensorState::up;
  } else if (before == SensorState::up) {
    host_.died(kProbeFailed.nature);
    current_.state = SensorState::down;
    current_.reason = &kProbeFailed;
    current_.detail = detail;
  } else {
    if (before == SensorState::unknown) current_.state = SensorState::absent;
    current_.detail = detail;
  }
  current_.at_ms = at_ms;
  if (started_ && current_.state != before) host_.report(report());
}

}  // namespace sockmon
