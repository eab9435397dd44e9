// The one netlink socket of a monitor. A message is a hint: all are drained, then the state is read anew, once.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "base/reactor.h"
#include "network/network_state.h"

namespace sockmon {

class LinkObserver {
 public:
  virtual ~LinkObserver() = default;
  /// Something has changed and the state is not read yet: the moment for what cannot wait for a dump.
  virtual void on_hint(const NetworkState& before) { (void)before; }
  virtual void on_network(const NetworkState& state) = 0;
  /// The kernel does not tell: `state` is as old as it was.
  virtual void on_hub_fault(const std::string& code, const std::string& detail) = 0;
};

class LinkHub {
 public:
  explicit LinkHub(Reactor& reactor);

  /// Opens the socket and reads the state at the first call. Where that fails the observer hears of the fault before this returns, it is
  /// tried again every second, and `on_network` tells when it has worked.
  void subscribe(LinkObserver* observer);
  void unsubscribe(LinkObserver* observer);
  /// Reads the state anew and tells every observer.
  void refresh();
  /// Messages, or the loss of some, are waiting on the socket.
  void on_ready();
  /// The state has been read since somebody subscribed.
  bool knows() const { return knows_; }
  const NetworkState& state() const { return state_; }

 private:
  void read();
  bool drain();

  Reactor& reactor_;
  std::unique_ptr<FdWatch> events_;
  std::unique_ptr<char[]> buffer_;
  Timer retry_;
  NetworkState state_;
  bool knows_ = false;
  std::vector<LinkObserver*> observers_;
};

}  // namespace sockmon
