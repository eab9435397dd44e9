// Watches an interface by its name, or whatever carries the traffic.
#pragma once
#include <memory>
#include <optional>
#include <string>

#include "core/sensor.h"
#include "network/link_hub.h"
#include "sensors/link_judge.h"

namespace sockmon {

SensorKind link_kind();
SensorKind uplink_kind();

class LinkSensor final : public Sensor, private LinkObserver {
 public:
  /// `renewal_ms`: how long an address or a route may be away before that is a death.
  LinkSensor(Reactor& reactor, LinkHub& hub, SensorHost& host, std::unique_ptr<LinkJudge> judge, double renewal_ms);
  ~LinkSensor() override;

  SensorReport start() override;
  SensorReport snapshot() override;

 private:
  void on_network(const NetworkStore& network, const NetworkChanges& changes) override;
  void on_settled(const NetworkStore& network, uint64_t ticket) override;
  void on_hub_fault(const std::string& code, const std::string& detail) override;
  void on_lock() override { host_.report(report(reactor_.now_ms())); }
  /// It has never been told what there is, which must not look like an interface that is missing.
  bool is_blind() const { return !failure_.empty(); }
  bool is_taken_down(const NetworkStore& network) const;
  void settle(const NetworkStore& network);
  void look(const NetworkStore& network, bool is_settled);
  void tell_change(const LinkVerdict& before);
  void look_beside();
  void look_again();
  SensorReport report(double at_ms) const;
  SensorReport own_report(double at_ms) const;

  Reactor& reactor_;
  LinkHub& hub_;
  SensorHost& host_;
  const std::unique_ptr<LinkJudge> judge_;
  const double renewal_ms_;
  LinkLife life_;
  /// It is down, or has lost what may be renewed: what that is will be known when the changes under way are over.
  std::optional<uint64_t> ticket_;
  /// It lives by the kernel's answer, which is asked for again when the changes under way are over.
  std::optional<uint64_t> recheck_;
  /// The reflex has been set off for it.
  bool is_answered_ = false;
  /// Until it is looked who else could carry the traffic, and which families do.
  Timer beside_;
  /// What could not be asked is asked again.
  Timer retry_;
  /// Until what holds for a time only is asked for again.
  Timer expiry_;
  bool started_ = false;
  /// Why the state of the network is not known yet; empty: it is.
  std::string failure_;
};

}  // namespace sockmon
