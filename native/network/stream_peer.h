// The other end of a stream socket: its address as people write it, and how a connection to it is begun and ended. Nothing here waits.
#pragma once
#include <sys/socket.h>

#include <optional>
#include <string>
#include <string_view>

#include "base/sys.h"
#include "base/unique_fd.h"

namespace sockmon {

class PeerAddress {
 public:
  /// `tcp:192.0.2.1:53`, `tcp:[2001:db8::1]:53`, `tcp:localhost:53` (127.0.0.1), `unix:/run/x.sock`, `unix:@abstract`. Nothing for anything
  /// else. A host name is not taken: getaddrinfo(3) waits for servers elsewhere, and what it finds may be another machine each time.
  static std::optional<PeerAddress> parse(std::string_view text);

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(bytes_.data()); }
  socklen_t size() const { return static_cast<socklen_t>(bytes_.size()); }
  bool is_unix() const { return get()->sa_family == AF_UNIX; }

 private:
  explicit PeerAddress(std::string bytes) : bytes_(std::move(bytes)) {}

  /// A sockaddr of its family, no longer than it is: ten thousand of them are held.
  std::string bytes_;
};

/// What became of an attempt to connect.
struct Attempt {
  UniqueFd fd;
  /// 0: it is established. EINPROGRESS: the answer is still to come, by EPOLLOUT. Else why there is none.
  int error = 0;
};

/// By connect(2), without waiting. Of a server on this machine the answer is there when this returns.
Attempt begin_connection(Sys& sys, const PeerAddress& to);

/// A TCP connection whose other end has been silent for so long is ended by the kernel, with ETIMEDOUT or what the network said. Meanwhile the
/// kernel asks by keepalives (tcp(7)), which wake nobody here.
void limit_silence(int fd, double silent_after_ms);

/// The answer to an attempt that was in progress, once epoll says that it is there: 0 or an errno.
int connection_error(Sys& sys, int fd);

/// Takes the error that the kernel has noted of a connection (SO_ERROR): 0 where its other end has only closed it.
int take_error(Sys& sys, int fd);

/// Reads what has come and drops it, so that no buffer fills: at most 64 KiB a call, so that a talkative peer holds up nobody. Nothing while
/// the connection is open, else its end: 0 where the other end has closed it, or an errno.
std::optional<int> read_and_drop(Sys& sys, int fd);

/// To close it by RST: no TIME_WAIT is left on the port, where a server without SO_REUSEADDR could not listen for a minute. Only where
/// the server is dead.
void abort_at_close(int fd);

/// What an errno of an attempt says.
enum class Answer {
  accepted,
  /// Nobody listens.
  refused,
  /// The network says that it leads nowhere.
  unreachable,
  /// Nothing is heard.
  none,
  /// The queue of those who wait to be accepted is full (UNIX sockets only; TCP drops the SYN).
  busy,
  /// Says nothing about the server: no descriptors, no memory, no room in the epoll set, no port of our own.
  own_trouble,
  /// It cannot be asked in this way at all: forbidden, or no stream socket.
  impossible,
};
Answer answer_of(int error);

/// For a person, with the next step: why no connection can be asked for.
std::string trouble_words(int error);

}  // namespace sockmon
