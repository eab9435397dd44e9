// Watches a unit of systemd: its main process by pidfd_open(2), its control group by inotify(7). What systemd itself means to do about a
// death is asked for, and answered from outside (SensorHost::ask, advise): the kernel does not know.
#pragma once
#include <memory>
#include <optional>
#include <string>

#include "base/reactor.h"
#include "core/sensor.h"
#include "process/process_finder.h"
#include "process/unit_group.h"

namespace sockmon {

inline constexpr Reason kUnitExit{"main_exit", Nature::exited, "its main process ended"};
inline constexpr Reason kUnitFailed{"failed", Nature::exited, "it failed"};
inline constexpr Reason kUnitStartLimit{"start_limit_hit", Nature::exited, "systemd does not start it any more"};
inline constexpr Reason kUnitStopped{"stopped", Nature::gone, "it was stopped on purpose"};

SensorKind unit_kind();
SensorMaker watch_unit(UnitSpec spec, UnitPlaces places = {});

class UnitSensor final : public Sensor {
 public:
  UnitSensor(Reactor& reactor, SensorHost& host, const ProcessContext& context, FolderHub& folders, UnitSpec spec, UnitPlaces places);

  SensorReport start() override;
  SensorReport snapshot() override;
  void doubt() override;
  bool kill() override;
  /**
   * `state`: what systemd says.
   *   running   `pid` is the main process; 0: it knows none, then the group counts as long as anybody is in it. `byOrder`: it was not
   *             restarted by systemd itself.
   *   starting  or stopping, with the start still to come: it has `withinMs` from now on.
   *   stopped   on purpose. `words` say by what.
   *   failed    nothing will start it. `reason`: failed or start_limit_hit, with `words`. `exitCode`, or `exitSignal` and `coreDumped`: of
   *             its main process.
   *   unknown   systemd cannot be asked.
   * Learned for the next death: `graceMs`, how long systemd may take to have it back by itself (0: it does not try), `stopSignal`, by which
   * it ends the unit, and `place`, its control group. `fault` and `faultCode`: why it cannot be watched; without them it can.
   */
  void advise(const Fields& advice) override;

 private:
  struct Settings {
    double grace_ms = 0;
    int stop_signal = 0;
  };
  /// Of the main process; what becomes of the unit is not known yet.
  struct End {
    pid_t pid = 0;
    double at_ms = 0;
    ExitCause cause;
    /// It has been reported as a `down` with a grace.
    bool told = false;
  };

  void on_change();
  void on_end();
  void on_answer_late();
  void look();
  void learn(const Fields& advice);
  void on_running(pid_t pid, bool by_order);
  void on_starting(double within_ms);
  void on_stopped(std::string words);
  void on_failed(const Fields& advice);
  void on_unknown();
  bool adopt(const Identity& identity, bool confirmed, bool by_order = false);
  void adopt_guess();
  void bear(double grace_ms);
  void die(const Reason& reason, std::string words);
  bool is_abrupt(const ExitCause& cause) const;
  void become_absent(std::string why);
  std::optional<pid_t> dead_pid() const;

  Reactor& reactor_;
  SensorHost& host_;
  const ProcessContext& context_;
  UnitGroup group_;
  bool started_ = false;
  SensorReport current_;
  std::optional<Identity> watched_;
  std::unique_ptr<FdWatch> pidfd_;
  /// systemd has said that it is the main process; otherwise it is the oldest of the group, which may be a helper of the start.
  bool confirmed_ = false;
  /// systemd knows no main process.
  bool mainless_ = false;
  /// Nothing: systemd has not answered yet.
  std::optional<Settings> settings_;
  /// systemd answers.
  bool askable_ = true;
  /// inotify is refused: the group is looked at by the clock.
  bool blind_ = false;
  std::optional<End> end_;
  /// Never believed again.
  std::optional<Identity> dead_;
  /// Told as dead, without a cause.
  std::optional<pid_t> unexplained_;
  Timer grace_;
  Timer look_again_;
  double look_delay_ms_;
};

}  // namespace sockmon
