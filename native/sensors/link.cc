#include "sensors/link.h"

#include "base/error.h"

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
  if (judge_.verdict().state != SensorState::up || !judge_.depends_on_interface(before)) return;
  unreported_loss_ = flags_tell_loss();
  if (unreported_loss_) host_.died();
}

/// While an interface is torn down a dump of all links waits for the RTNL lock (0.4 ms for slirp4netns, more for a
/// veth); its flags alone are told at once. They may still say "down" where the dump will say "gone".
std::optional<DownReason> LinkSensor::flags_tell_loss() const {
  unsigned flags = 0;
  if (reactor_.sys().interface_flags(judge_.verdict().interface.c_str(), &flags) != 0) {
    if (errno == ENODEV) return DownReason::interface_gone;
    return std::nullopt;
  }
  if ((flags & IFF_UP) == 0) return DownReason::interface_down;
  return std::nullopt;
}

void LinkSensor::on_network(const NetworkState& state) {
  if (unreported_loss_) {
    const Interface* interface = state.find(judge_.verdict().interface);
    if (interface == nullptr) unreported_loss_ = DownReason::interface_gone;
    report_loss();
  }
  const LinkVerdict before = judge_.verdict();
  judge_.next(state);
  tell_change(before);
}

void LinkSensor::on_hub_fault(const std::string& code, const std::string& detail) {
  host_.fault(code, detail);
  if (unreported_loss_) report_loss();
}

void LinkSensor::report_loss() {
  judge_.lost(*unreported_loss_);
  unreported_loss_.reset();
  host_.report(report(reactor_.now_ms()));
}

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
