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

  /// Opens the socket at the first call. Throws Error.
  void subscribe(LinkObserver* observer);
  void unsubscribe(LinkObserver* observer);
  /// Reads the state anew and tells every observer.
  void refresh();
  /// Messages, or the loss of some, are waiting on the socket.
  void on_ready();
  const NetworkState& state() const { return state_; }

 private:
  bool drain();

  Reactor& reactor_;
  std::unique_ptr<FdWatch> events_;
  std::unique_ptr<char[]> buffer_;
  Timer retry_;
  NetworkState state_;
  std::vector<LinkObserver*> observers_;
};

}  // namespace sockmon
