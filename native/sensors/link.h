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
  void on_network(const NetworkStore& network, const NetworkChanges& changes) override;
  void on_settled(const NetworkStore& network, uint64_t ticket) override;
  void on_hub_fault(const std::string& code, const std::string& detail) override;
  /// It has never been told what there is, which must not look like an interface that is missing.
  bool is_blind() const { return !failure_.empty(); }
  bool loses_interface(const NetworkStore& network) const;
  void report_loss(const NetworkStore& network);
  void judge(const NetworkStore& network);
  void tell_change(const LinkVerdict& before);
  SensorReport report(double at_ms) const;

  Reactor& reactor_;
  LinkHub& hub_;
  SensorHost& host_;
  LinkJudge judge_;
  /// The interface is down and the reflex has been set off; the report waits until it is known whether the interface is being deleted.
  std::optional<uint64_t> loss_ticket_;
  bool started_ = false;
  /// Why the state of the network has not been read yet; empty: it has.
  std::string failure_;
};

}  // namespace sockmon
