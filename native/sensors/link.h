// Watches an interface with its address and default route.
#pragma once
#include <string>

#include "core/sensor.h"
#include "network/link_hub.h"
#include "sensors/link_judge.h"

namespace sockmon {

SensorKind link_kind();
SensorMaker watch_link(LinkSpec spec);

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
  /// It has never been told what there is, which must not look like an interface that is missing.
  bool is_blind() const { return !failure_.empty(); }
  const Reason* flags_tell_loss() const;
  void report_loss();
  void tell_change(const LinkVerdict& before);
  SensorReport report(double at_ms) const;

  Reactor& reactor_;
  LinkHub& hub_;
  SensorHost& host_;
  LinkJudge judge_;
  /// The reflex has been set off, the report waits for the dump that tells the true reason.
  const Reason* unreported_loss_ = nullptr;
  bool started_ = false;
  /// Why the state of the network has not been read yet; empty: it has.
  std::string failure_;
};

}  // namespace sockmon
