// Watches the IP stack by probing it: now and then, and whenever the network changes.
#pragma once
#include "base/reactor.h"
#include "core/sensor.h"
#include "network/link_hub.h"

namespace sockmon {

struct StackSpec {
  double every_ms = 60'000;
};

inline constexpr Reason kProbeFailed{"probe_failed", Nature::broken, "the probe failed"};

SensorKind stack_kind();
SensorMaker watch_stack(StackSpec spec);

class StackSensor final : public Sensor, private LinkObserver {
 public:
  StackSensor(Reactor& reactor, LinkHub& hub, SensorHost& host, StackSpec spec);
  ~StackSensor() override;

  SensorReport start() override;
  SensorReport snapshot() override;

 private:
  void on_network(const NetworkState& state) override;
  void on_hub_fault(const std::string& code, const std::string& detail) override;
  void probe();
  void judge(int error);

  Reactor& reactor_;
  LinkHub& hub_;
  SensorHost& host_;
  const StackSpec spec_;
  bool started_ = false;
  int last_error_ = 0;
  bool own_trouble_ = false;
  SensorReport current_;
  Timer timer_;
};

}  // namespace sockmon
