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
  if (hub_.knows()) judge_.next(hub_.network());
  started_ = true;
  return report(reactor_.sys().boot_ms());
}

SensorReport LinkSensor::snapshot() {
  hub_.refresh();
  if (loss_ticket_) report_loss(hub_.network());
  return report(reactor_.sys().boot_ms());
}

void LinkSensor::on_network(const NetworkStore& network, const NetworkChanges& changes) {
  host_.works();
  if (is_blind()) {
    failure_.clear();
    judge_.next(network);
    return host_.report(report(reactor_.now_ms()));
  }
  if (loss_ticket_) {
    if (network.find(judge_.verdict().interface) == nullptr) report_loss(network);
    return;
  }
  if (!judge_.depends_on(network, changes)) return;
  if (loses_interface(network)) {
    host_.died(kInterfaceDown.nature);
    loss_ticket_ = hub_.settle();
    return;
  }
  judge(network);
}

/// It is down, and no other one can take over: dead in any case. A device that is deleted is told as down before, by some 0.1 to 20 ms.
bool LinkSensor::loses_interface(const NetworkStore& network) const {
  if (judge_.verdict().state != SensorState::up || !judge_.depends_on_interface(network)) return false;
  const Link* interface = network.find(judge_.verdict().interface);
  return interface != nullptr && !interface->up();
}

void LinkSensor::on_settled(const NetworkStore& network, uint64_t ticket) {
  if (loss_ticket_ && ticket >= *loss_ticket_) report_loss(network);
}

void LinkSensor::on_hub_fault(const std::string& code, const std::string& detail) {
  if (!started_ || is_blind()) failure_ = detail;
  host_.fault(code, detail);
  if (loss_ticket_) report_loss(hub_.network());
}

void LinkSensor::report_loss(const NetworkStore& network) {
  loss_ticket_.reset();
  const bool is_gone = network.find(judge_.verdict().interface) == nullptr;
  judge_.lost(is_gone ? kInterfaceGone : kInterfaceDown);
  host_.report(report(reactor_.now_ms()));
  judge(network);
}

void LinkSensor::judge(const NetworkStore& network) {
  const LinkVerdict before = judge_.verdict();
  judge_.next(network);
  tell_change(before);
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
