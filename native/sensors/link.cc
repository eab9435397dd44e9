#include "sensors/link.h"

#include <utility>

#include "base/error.h"
#include "sensors/kernel_lock.h"

namespace sockmon {
namespace {

constexpr double kRetryMs = 1000;
/// The kernel counts in jiffies and tells 10 ms: asked too soon, a route that is about to expire looks like one that never does.
constexpr double kSurelyExpiredMs = 100;

NetworkChanges everything() {
  NetworkChanges changes;
  changes.everything = true;
  return changes;
}

}  // namespace

LinkSensor::LinkSensor(Reactor& reactor, LinkHub& hub, SensorHost& host, std::unique_ptr<LinkJudge> judge, double renewal_ms)
    : reactor_(reactor),
      hub_(hub),
      host_(host),
      judge_(std::move(judge)),
      renewal_ms_(renewal_ms),
      beside_(reactor, [this] { look_beside(); }),
      retry_(reactor, [this] {
        // Where the hub itself is blind its own retry tells.
        if (hub_.knows()) on_network(hub_.network(), everything());
      }),
      expiry_(reactor, [this] { look_again(); }) {}

LinkSensor::~LinkSensor() { hub_.unsubscribe(this); }

SensorReport LinkSensor::start() {
  hub_.subscribe(this);
  if (hub_.knows()) look(hub_.network(), true);
  else if (failure_.empty()) failure_ = "the state of the network is being read";
  started_ = true;
  return report(reactor_.sys().boot_ms());
}

SensorReport LinkSensor::snapshot() {
  hub_.refresh();
  if (ticket_) settle(hub_.network());
  return report(reactor_.sys().boot_ms());
}

void LinkSensor::on_network(const NetworkStore& network, const NetworkChanges& changes) {
  if (is_blind()) {
    look(network, true);
    if (!is_blind()) host_.report(report(reactor_.now_ms()));
    return;
  }
  const LinkVerdict& verdict = life_.verdict();
  if (!judge_->depends_on(network, changes, verdict)) return host_.works();
  if (!beside_.armed()) beside_.arm(renewal_ms_);
  if (is_answered_) {
    if (network.find(verdict.index) == nullptr) settle(network);
    return;
  }
  look(network, false);
  // The kernel tells of the end of an IPv4 route or address before it is done with it, and may have been asked in between.
  if (judge_->asks_kernel() && life_.is_up() && !ticket_) recheck_ = hub_.settle();
}

/// Down, and no other one can take over: dead in any case. A device that is deleted is told as down before, by some 0.1 to 20 ms.
bool LinkSensor::is_taken_down(const NetworkStore& network) const {
  const Link* link = network.find(life_.verdict().index);
  return life_.may_die() && link != nullptr && !link->up() && !judge_->may_move(network, link->index);
}

void LinkSensor::on_settled(const NetworkStore& network, uint64_t ticket) {
  const bool is_over = recheck_ && ticket >= *recheck_;
  if (is_over) recheck_.reset();
  if (ticket_ && ticket >= *ticket_) return settle(network);
  if (is_over && !is_answered_ && !is_blind()) look(network, true);
}

void LinkSensor::on_hub_fault(const std::string& code, const std::string& detail) {
  if (!started_ || is_blind()) failure_ = detail;
  host_.fault(code, detail);
  if (ticket_) settle(hub_.network());
}

/// What has been answered by the reflex is told as a loss, whatever has become of it since.
void LinkSensor::settle(const NetworkStore& network) {
  ticket_.reset();
  if (std::exchange(is_answered_, false)) {
    const LinkVerdict& verdict = life_.verdict();
    LinkSight sight = sight_of(network, verdict.index, verdict.interface);
    if (sight.missing != &kInterfaceGone) sight.missing = &kInterfaceDown;
    life_.next(std::move(sight));
    host_.report(report(reactor_.now_ms()));
  }
  look(network, true);
}

void LinkSensor::look(const NetworkStore& network, bool is_settled) {
  if (!is_settled && is_taken_down(network)) {
    host_.died(kInterfaceDown.nature);
    host_.doubt_others();
    is_answered_ = true;
    ticket_ = hub_.settle();
    return;
  }
  LinkSight sight;
  auto families = life_.verdict().families;
  try {
    sight = judge_->look(network, life_.is_up());
    if (sight.missing == nullptr && !families) families = judge_->families(network);
    host_.works();
    if (std::isfinite(sight.lasts_ms)) expiry_.arm(sight.lasts_ms + kSurelyExpiredMs);
    else expiry_.cancel();
  } catch (const Error& error) {
    if (!started_ || is_blind()) failure_ = error.what();
    retry_.arm(kRetryMs);
    return host_.fault(error.code(), error.what());
  }
  // An interface that is down, while another one may take over; or the first of several losses, of which a later one explains it.
  const bool is_down = sight.missing == &kInterfaceDown || sight.missing == &kLowerDown;
  const bool may_change = (life_.may_die() && is_down) || life_.loses_what_may_be_renewed(sight);
  if (!is_settled && may_change) {
    if (!ticket_) ticket_ = hub_.settle();
    return;
  }
  ticket_.reset();
  const LinkVerdict before = life_.verdict();
  if (sight.index != before.index) {
    life_.moves();
    life_.others_are(judge_->standby(network, sight.index));
  }
  life_.next(std::move(sight));
  life_.families_are(std::move(families));
  const bool is_first = !started_ || is_blind();
  failure_.clear();
  if (!is_first) tell_change(before);
}

void LinkSensor::tell_change(const LinkVerdict& before) {
  const LinkVerdict& after = life_.verdict();
  if (after.same_news(before)) return;
  // Absent stays absent in silence; of a link that is down only the end matters, and that it has gone for good.
  if (after.state == SensorState::absent && before.state == SensorState::absent) return;
  if (after.state == SensorState::down && before.state == SensorState::down && after.reason == before.reason) return;
  if (after.state == SensorState::down) host_.died(after.reason->nature);
  host_.report(report(reactor_.now_ms()));
}

/// Those beside it, and one of two families, come and go with each renewal: that is told when it has lasted as long as one may take.
void LinkSensor::look_beside() {
  if (!hub_.knows() || !life_.is_up()) return;
  const LinkVerdict before = life_.verdict();
  try {
    auto families = life_.is_whole() ? judge_->families(hub_.network()) : std::nullopt;
    // None at all is a death, which is just about to be seen.
    if (families && !families->empty()) life_.families_are(std::move(families));
  } catch (const Error&) {
    // Whoever asks for the uplink itself tells of it.
    return beside_.arm(kRetryMs);
  }
  life_.others_are(judge_->standby(hub_.network(), before.index));
  const LinkVerdict& after = life_.verdict();
  if (after.standby != before.standby || after.families != before.families) host_.report(report(reactor_.now_ms()));
}

/// What has been answered waits for another look anyway.
void LinkSensor::look_again() {
  if (hub_.knows() && !is_blind() && !is_answered_) look(hub_.network(), false);
}

SensorReport LinkSensor::report(double at_ms) const { return under_lock(hub_, own_report(at_ms)); }

SensorReport LinkSensor::own_report(double at_ms) const {
  const LinkVerdict& verdict = life_.verdict();
  SensorReport report;
  report.state = is_blind() ? SensorState::unknown : verdict.state;
  report.at_ms = at_ms;
  report.reason = verdict.reason;
  report.detail = is_blind() ? failure_ : verdict.detail;
  const bool is_borne = verdict.state == SensorState::down && verdict.reason->nature == Nature::unreachable;
  if (is_borne) report.grace_ms = renewal_ms_;
  if (verdict.interface.empty()) return report;
  report.interface = verdict.interface;
  report.interface_index = verdict.index;
  report.carrier = verdict.carrier;
  report.addresses = verdict.addresses;
  report.standby = verdict.standby;
  report.families = verdict.families;
  return report;
}

}  // namespace sockmon
