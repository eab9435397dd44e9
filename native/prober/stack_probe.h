// Asks the IP stack for a sign of life, without waiting for it.
#pragma once
#include <sys/socket.h>

#include <functional>
#include <memory>

#include "base/reactor.h"

namespace sockmon {

/// Sends a UDP datagram to itself over loopback on a fresh socket. socket(2) alone proves nothing: it succeeds while `lo` is down.
///
/// 127.0.0.1 is asked, and ::1 where that does not answer at once; either is enough. What passes datagrams of one family is no dead stack:
/// the other one has been filtered or taken off `lo`, which no restart of the network mends, while a restart would cut off what works.
/// IPv6 may be missing altogether (ipv6.disable=1, a kernel without it), and so may 127.0.0.1 on a machine that has IPv6 only.
class StackProbe {
 public:
  /// Gets 0, or the errno of what failed, of IPv4 where `lo` has it; ETIMEDOUT when nothing came back within 200 ms. May ask again.
  using Answer = std::function<void(int error)>;

  StackProbe(Reactor& reactor, Answer answer);

  /// Loopback delivers within send(2), so the answer mostly comes before this returns; otherwise it comes from the reactor. Does nothing
  /// while an answer is awaited.
  void ask();
  bool waiting() const { return ask_v4_.socket != nullptr || ask_v6_.socket != nullptr; }

 private:
  /// One family's datagram.
  struct Ask {
    const sa_family_t family;
    /// While it is on its way.
    std::unique_ptr<FdWatch> socket = nullptr;
    int error = 0;
  };

  /// Leaves EAGAIN in `error`, and a socket, as long as the datagram has not come.
  void send(Ask& ask);
  int exchange(Ask& ask);
  int receive(int fd);
  void wait(Ask& ask, UniqueFd fd);
  void on_datagram(Ask& ask);
  void on_timeout();
  int verdict() const;
  void finish(int error);

  Reactor& reactor_;
  const Answer answer_;
  double token_ = 0;
  Ask ask_v4_{AF_INET};
  Ask ask_v6_{AF_INET6};
  Timer patience_;
};

}  // namespace sockmon
