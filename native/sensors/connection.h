// Holds a connection to a server. When the kernel says that its other end is gone, the server is asked at once by a new one: if that is
// accepted, the server has only closed (an idle connection, a reload); if not, it is dead.
#pragma once
#include <memory>
#include <string>

#include "base/reactor.h"
#include "core/sensor.h"
#include "sensors/connection_spec.h"

namespace sockmon {

inline constexpr Reason kPeerClosed{"peer_closed", Nature::exited, "the server closed the connection and accepts no new one"};
inline constexpr Reason kPeerReset{"peer_reset", Nature::exited, "the server reset the connection and accepts no new one"};
inline constexpr Reason kRefused{"refused", Nature::gone, "the server fell silent and accepts no connection any more"};
inline constexpr Reason kSilent{"silent", Nature::unreachable, "nothing is heard from the server any more"};
inline constexpr Reason kClosesAtOnce{"closes_at_once", Nature::broken, "the server accepts connections and closes them at once"};
inline constexpr Reason kNoGreeting{"no_greeting", Nature::broken, "the server accepts connections and does not say what is expected"};

SensorKind connection_kind();
SensorMaker watch_connection(ConnectionSpec spec);

class ConnectionSensor final : public Sensor {
 public:
  ConnectionSensor(Reactor& reactor, SensorHost& host, std::shared_ptr<const ConnectionSpec> spec);

  SensorReport start() override;
  SensorReport snapshot() override;
  void doubt() override;

 private:
  enum class Stage : uint8_t {
    /// For the next attempt.
    waiting,
    /// For the answer to the one under way.
    connecting,
    /// Accepted; for what the server has to say.
    expecting,
    held,
  };
  /// How a held connection ended.
  enum class Loss : uint8_t { none, closed, reset, silent };

  void attempt();
  void on_event(uint32_t events);
  void on_timer();
  bool watch(UniqueFd fd, uint32_t events);

  void on_connected();
  bool greet();
  void read_first_words();
  void on_accepted();
  void on_proven();
  void come_up();
  void hand_over();

  void on_held_event(uint32_t events);
  void lose(Loss loss);
  void be_thrown_out(int error);
  void be_ungreeted();
  void ask_again();
  bool may_wait() const;
  void fail(int error);
  void miss();
  void die(const Reason& reason);

  void drop();
  void retry_later(double slowest_ms);
  const Reason& reason_after(int error) const;
  SensorReport report(double at_ms) const;

  Reactor& reactor_;
  SensorHost& host_;
  const std::shared_ptr<const ConnectionSpec> spec_;
  std::unique_ptr<FdWatch> watch_;
  Timer timer_;
  /// The connection that was lost, until the loss is judged: its own end is closed then, to a dead server in another way than to a living one.
  UniqueFd lost_;
  /// The same while the first question is asked.
  std::unique_ptr<FdWatch> lost_watch_;
  /// What has been heard while something is expected.
  std::unique_ptr<std::string> first_words_;
  /// Of a death.
  const Reason* reason_ = nullptr;
  /// When the state began, or a connection was lost whose loss is not judged yet.
  double since_ms_ = 0;
  double attempt_ms_ = 0;
  /// When a hand-over was told last; negative: never.
  double told_ms_ = -1;
  float delay_ms_;
  /// Of the last attempt.
  int error_ = 0;
  uint32_t untold_ = 0;
  /// Connections that were accepted and lost before they were proven, in a row.
  uint8_t unproven_ = 0;
  SensorState state_ = SensorState::unknown;
  Stage stage_ = Stage::waiting;
  /// While it is up: the loss that the server is being asked about.
  Loss loss_ = Loss::none;
  bool started_ = false;
};

}  // namespace sockmon
