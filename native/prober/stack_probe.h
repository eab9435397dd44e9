// Asks the IP stack for a sign of life, without waiting for it.
#pragma once
#include <functional>
#include <memory>

#include "base/reactor.h"

namespace sockmon {

/// Sends a UDP datagram to itself over loopback on a fresh socket. socket(2) alone proves nothing: it succeeds while `lo` is down.
class StackProbe {
 public:
  /// Gets 0, or the errno of what failed; ETIMEDOUT when nothing came back within 200 ms. May ask again.
  using Answer = std::function<void(int error)>;

  StackProbe(Reactor& reactor, Answer answer);

  /// Loopback delivers within send(2), so the answer mostly comes before this returns; otherwise it comes from the reactor. Does nothing
  /// while an answer is awaited.
  void ask();
  bool waiting() const { return socket_ != nullptr; }

 private:
  int send();
  /// EAGAIN as long as the datagram has not come.
  int receive(int fd);
  void wait(UniqueFd fd);
  void finish(int error);

  Reactor& reactor_;
  const Answer answer_;
  double token_ = 0;
  std::unique_ptr<FdWatch> socket_;
  Timer patience_;
};

}  // namespace sockmon
