#include "sensors/link.h"

#include <utility>

#include "base/error.h"

namespace sockmon {

SensorKind link_kind() {
  return {"link",
          {"interface", "address", "defaultRoute", "carrier"},
          {&kInterfaceGone, &kInterfaceDown, &kNoAddress, &kNoDefaultRoute, &kNoCarrier},
          [](const Fields& fields) {
            LinkSpec spec;
            if (!fields.is_null("interface")) {
              spec.interface = fields.text("interface");
              // IFNAMSIZ is 16 with the terminating zero.
              if (!spec.interface || spec.interface->size() > 15)
                fields.refuse("interface", "expected a string, null or the name of an interface, 1 to 15 bytes long");
            }
            spec.address = fields.flag("address", spec.address);
            spec.default_route = fields.flag("defaultRoute", spec.default_route);
            spec.carrier = fields.flag("carrier", spec.carrier);
            return watch_link(std::move(spec));
          }};
}

SensorMaker watch_link(LinkSpec spec) {
  return [spec = std::move(spec)](const SensorWorld& world, SensorHost& host) -> std::unique_ptr<Sensor> {
    return std::make_unique<LinkSensor>(world.reactor, world.hub, host, spec);
  };
}

LinkSensor::LinkSensor(Reactor& reactor, LinkHub& hub, SensorHost& host, LinkSpec spec)
    : reactor_(reactor), hub_(hub), host_(host), judge_(std::move(spec)) {}

LinkSensor::~LinkSensor() { hub_.unsubscribe(this); }

SensorReport LinkSensor::start() {
  hub_.subscribe(this);
  if (hub_.knows()) judge_.next(hub_.state());
  started_ = true;
  return report(reactor_.sys().boot_ms());
}

SensorReport LinkSensor::snapshot() {
  hub_.refresh();
  return report(reactor_.sys().boot_ms());
}

void LinkSensor::on_hint(const NetworkState& before) {
  if (judge_.verdict().state != SensorState::up || !judge_.depends_on_interface(before)) return;
  unreported_loss_ = flags_tell_loss();
  if (unreported_loss_ != nullptr) host_.died(unreported_loss_->nature);
}

/// While an interface is torn down a dump of all links waits for the RTNL lock (0.4 ms for slirp4netns, more for a
/// veth); its flags alone are told at once. They may still say "down" where the dump will say "gone".
const Reason* LinkSensor::flags_tell_loss() const {
  unsigned flags = 0;
  if (reactor_.sys().interface_flags(judge_.verdict().interface.c_str(), &flags) != 0) {
    if (errno == ENODEV) return &kInterfaceGone;
    return nullptr;
  }
  if ((flags & IFF_UP) == 0) return &kInterfaceDown;
  return nullptr;
}

void LinkSensor::on_network(const NetworkState& state) {
  host_.works();
  const bool is_first = is_blind();
  failure_.clear();
  if (unreported_loss_) {
    const Interface* interface = state.find(judge_.verdict().interface);
    if (interface == nullptr) unreported_loss_ = &kInterfaceGone;
    report_loss();
  }
  const LinkVerdict before = judge_.verdict();
  judge_.next(state);
  if (is_first) host_.report(report(reactor_.now_ms()));
  else tell_change(before);
}

void LinkSensor::on_hub_fault(const std::string& code, const std::string& detail) {
  if (!started_ || is_blind()) failure_ = detail;
  host_.fault(code, detail);
  if (unreported_loss_) report_loss();
}

void LinkSensor::report_loss() {
  judge_.lost(*std::exchange(unreported_loss_, nullptr));
  host_.report(report(reactor_.now_ms()));
}

void LinkSensor::tell_change(const LinkVerdict& before) {
  const LinkVerdict& after = judge_.verdict();
  if (after.same_news(before)) return;
  // Absent stays absent in silence, and of a link that is down only the end matters.
  if (after.state != SensorState::up && after.state == before.state) return;
  if (after.state == SensorState::down) host_.died(after.reason->nature);
  host_.report(report(reactor_.now_ms()));
}

SensorReport LinkSensor::report(double at_ms) const {
  const LinkVerdict& verdict = judge_.verdict();
  SensorReport report;
  report.state = is_blind() ? SensorState::unknown : verdict.state;
  report.at_ms = at_ms;
  report.reason = verdict.reason;
  report.detail = is_blind() ? failure_ : verdict.detail;
  if (verdict.interface.empty()) return report;
  report.interface = verdict.interface;
  report.carrier = verdict.carrier;
  report.addresses = verdict.addresses;
  return report;
}

}  // namespace sockmon
