// Watches an interface with its address and default route.
#pragma once
#include <optional>

#include "core/sensor.h"
#include "network/link_hub.h"
#include "sensors/link_judge.h"

namespace sockmon {

class LinkSensor final : public Sensor, private LinkObserver {
 public:
  LinkSensor(Reactor& reactor, LinkHub& hub, SensorHost& host, LinkSpec spec);
  ~LinkSensor() override;

  SensorReport start() override;
  SensorReport snapshot() override;

 private:
  void on_hint(const NetworkState& before) override;
  void on_network(const NetworkState& state) override;
  void on_hub_fault(const std::string& code, const std::string& detail) override;
  std::optional<DownReason> flags_tell_loss() const;
  void report_loss();
  void tell_change(const LinkVerdict& before);
  SensorReport report(double at_ms) const;

  Reactor& reactor_;
  LinkHub& hub_;
  SensorHost& host_;
  LinkJudge judge_;
  /// The reflex has been set off, the report waits for the dump that tells the true reason.
  std::optional<DownReason> unreported_loss_;
  /// Why it cannot work at all; empty: it can.
  std::string failure_;
};

}  // namespace sockmon
