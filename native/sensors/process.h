// Watches one process by pidfd_open(2), and finds its successor after a death.
#pragma once
#include <list>
#include <memory>
#include <optional>

#include "base/reactor.h"
#include "core/sensor.h"
#include "process/cause_watch.h"
#include "process/process_finder.h"

namespace sockmon {

inline constexpr Reason kProcessExit{"process_exit", Nature::exited, "the process ended"};

SensorKind process_kind();
SensorMaker watch_process(ProcessSpec spec);

class ProcessSensor final : public Sensor {
 public:
  ProcessSensor(Reactor& reactor, SensorHost& host, const ProcessContext& context, ProcessSpec spec);

  SensorReport start() override;
  SensorReport snapshot() override;
  /// A process that is exiting is dead, although its pidfd says so later: two sights of one death must not look like two.
  void doubt() override;
  bool kill() override;

 private:
  void search();
  void look_for_it();
  bool adopt(const Found& found);
  bool is_the_dead_one(const Found& found) const;
  void become_absent(std::string why);
  void on_death();
  void watch_for_cause();

  Reactor& reactor_;
  SensorHost& host_;
  const ProcessContext& context_;
  const ProcessSpec spec_;
  bool started_ = false;
  /// A find is reported from within the search, and the siblings answer it with a doubt.
  bool searching_ = false;
  SensorReport current_;
  std::optional<Found> watched_;
  std::unique_ptr<FdWatch> pidfd_;
  /// The last one that died: never believed again.
  std::optional<Found> dead_;
  Timer rescan_;
  double rescan_delay_ms_;
  std::list<std::unique_ptr<CauseWatch>> cause_watches_;
};

}  // namespace sockmon
