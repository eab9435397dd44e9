// Watches the IP stack by probing it: now and then, and whenever the loopback interface or the rules of routing change.
#pragma once
#include "base/reactor.h"
#include "core/sensor.h"
#include "network/link_hub.h"
#include "prober/stack_probe.h"

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
  void on_network(const NetworkStore& network, const NetworkChanges& changes) override;
  void on_hub_fault(const std::string& code, const std::string& detail) override;
  void on_lock() override;
  SensorReport report() const;
  void on_answer(int error);
  void judge(int error);

  Reactor& reactor_;
  LinkHub& hub_;
  SensorHost& host_;
  const StackSpec spec_;
  bool started_ = false;
  bool asked_twice_ = false;
  bool own_trouble_ = false;
  bool hub_fault_ = false;
  SensorReport current_;
  StackProbe probe_;
  Timer timer_;
};

}  // namespace sockmon
