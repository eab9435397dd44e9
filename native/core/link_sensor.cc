#include "link_sensor.h"

#include "error.h"

namespace sockmon {

LinkSensor::LinkSensor(Reactor& reactor, LinkHub& hub, SensorHost& host, LinkSpec spec)
    : reactor_(reactor), hub_(hub), host_(host), judge_(std::move(spec)) {}

LinkSensor::~LinkSensor() { hub_.unsubscribe(this); }

SensorReport LinkSensor::start() {
  try {
    hub_.subscribe(this);
    judge_.next(hub_.state());
  } catch (const Error& error) {
    failure_ = error.what();
    host_.fault(error.code(), failure_);
  }
  return report(reactor_.sys().boot_ms());
}

SensorReport LinkSensor::snapshot() {
  if (failure_.empty()) hub_.refresh();
  return report(reactor_.sys().boot_ms());
}

void LinkSensor::on_hint(const NetworkState& before) {
  // While an interface is torn down a dump of all links waits for the RTNL lock (0.4 ms measured, more on a real
  // machine); its flags alone are told at once.
  const LinkVerdict verdict = judge_.verdict();
  if (verdict.state != SensorState::up || !judge_.depends_on_interface(before)) return;
  unsigned flags = 0;
  if (reactor_.sys().interface_flags(verdict.interface.c_str(), &flags) != 0) {
    if (errno != ENODEV) return;
    judge_.lost(DownReason::interface_gone);
  } else if ((flags & IFF_UP) == 0) {
    judge_.lost(DownReason::interface_down);
  } else {
    return;
  }
  tell_change(verdict);
}

void LinkSensor::on_network(const NetworkState& state) {
  const LinkVerdict before = judge_.verdict();
  judge_.next(state);
  tell_change(before);
}

void LinkSensor::on_hub_fault(const std::string& code, const std::string& detail) { host_.fault(code, detail); }

void LinkSensor::tell_change(const LinkVerdict& before) {
  const LinkVerdict& after = judge_.verdict();
  if (after.same_news(before)) return;
  // Absent stays absent in silence, and of a link that is down only the end matters.
  if (after.state != SensorState::up && after.state == before.state) return;
  if (after.state == SensorState::down) host_.died();
  host_.report(report(reactor_.now_ms()));
}

SensorReport LinkSensor::report(double at_ms) const {
  const LinkVerdict& verdict = judge_.verdict();
  SensorReport report;
  report.state = verdict.state;
  report.at_ms = at_ms;
  report.reason = verdict.reason;
  report.detail = failure_.empty() ? verdict.detail : failure_;
  if (verdict.interface.empty()) return report;
  report.interface = verdict.interface;
  report.carrier = verdict.carrier;
  report.addresses = verdict.addresses;
  return report;
}

}  // namespace sockmon
