// Watches an interface with its address and default route.
#pragma once
#include "link_hub.h"
#include "link_judge.h"
#include "sensor.h"

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
  void tell_change(const LinkVerdict& before);
  SensorReport report(double at_ms) const;

  Reactor& reactor_;
  LinkHub& hub_;
  SensorHost& host_;
  LinkJudge judge_;
  /// Why it cannot work at all; empty: it can.
  std::string failure_;
};

}  // namespace sockmon
