#include "network/stream_peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/un.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace sockmon {
namespace {

template <typename Address>
std::string bytes_of(const Address& address, size_t size = sizeof(Address)) {
  return std::string(reinterpret_cast<const char*>(&address), size);
}

std::optional<uint16_t> parse_port(std::string_view text) {
  uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size() || port == 0) return std::nullopt;
  return port;
}

/// `ADDRESS:PORT` or `[ADDRESS]:PORT`.
std::optional<std::string> parse_tcp(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto port = parse_port(text.substr(colon + 1));
  if (!port) return std::nullopt;
  std::string host(text.substr(0, colon));
  if (host == "localhost") host = "127.0.0.1";
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = htons(*port);
  if (inet_pton(AF_INET, host.c_str(), &v4.sin_addr) == 1) return bytes_of(v4);
  if (host.size() < 2 || host.front() != '[' || host.back() != ']') return std::nullopt;
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(*port);
  if (inet_pton(AF_INET6, host.substr(1, host.size() - 2).c_str(), &v6.sin6_addr) == 1) return bytes_of(v6);
  return std::nullopt;
}

/// `/PATH`, or `@NAME` of an abstract socket (unix(7)).
std::optional<std::string> parse_unix(std::string_view path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const bool is_abstract = !path.empty() && path[0] == '@';
  if (path.size() < 2 || path.size() >= sizeof address.sun_path || (!is_abstract && path[0] != '/')) return std::nullopt;
  memcpy(address.sun_path, path.data(), path.size());
  if (is_abstract) address.sun_path[0] = '\0';
  // The zero at the end of a path belongs to the address; in an abstract name it would be a part of the name.
  return bytes_of(address, offsetof(sockaddr_un, sun_path) + path.size() + (is_abstract ? 0 : 1));
}

void set(int fd, int level, int option, int value) { setsockopt(fd, level, option, &value, sizeof value); }

/// Where nobody listens on a port that the kernel gives to clients, it may give us this very port: TCP then connects the socket to itself
/// (RFC 9293, simultaneous open), which looks like a server and keeps the true one from its port.
bool is_connected_to_itself(int fd) {
  sockaddr_storage own{}, peer{};
  socklen_t own_size = sizeof own, peer_size = sizeof peer;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&own), &own_size) != 0) return false;
  if (own.ss_family == AF_UNIX || getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &peer_size) != 0) return false;
  return own_size == peer_size && memcmp(&own, &peer, own_size) == 0;
}

bool is_ready(Sys& sys, int fd) {
  pollfd poll{fd, POLLOUT, 0};
  return retry_eintr([&] { return sys.poll(&poll, 1, 0); }) > 0;
}

}  // namespace

std::optional<PeerAddress> PeerAddress::parse(std::string_view text) {
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const std::string_view kind = text.substr(0, colon), rest = text.substr(colon + 1);
  std::optional<std::string> bytes;
  if (kind == "tcp") bytes = parse_tcp(rest);
  if (kind == "unix") bytes = parse_unix(rest);
  if (!bytes) return std::nullopt;
  return PeerAddress(std::move(*bytes));
}

Attempt begin_connection(Sys& sys, const PeerAddress& to) {
  Attempt attempt;
  attempt.fd.reset(sys.socket(to.get()->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!attempt.fd) {
    attempt.error = errno;
    return attempt;
  }
  const int fd = attempt.fd.get();
  if (sys.connect(fd, to.get(), to.size()) != 0) attempt.error = errno;
  // Over loopback the answer comes while connect(2) runs, which says EINPROGRESS all the same.
  if (attempt.error == EINPROGRESS && is_ready(sys, fd)) attempt.error = connection_error(sys, fd);
  return attempt;
}

/// Half of the time without a word passes before the first question, the rest with three of them.
void limit_silence(int fd, double silent_after_ms) {
  const int seconds = std::max(3, static_cast<int>(silent_after_ms / 1000));
  const int interval = seconds / 6 + (seconds < 6 ? 1 : 0);
  const int idle = seconds - 3 * interval > 0 ? seconds - 3 * interval : 1;
  set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  set(fd, IPPROTO_TCP, TCP_KEEPIDLE, idle);
  set(fd, IPPROTO_TCP, TCP_KEEPINTVL, interval);
  set(fd, IPPROTO_TCP, TCP_KEEPCNT, 3);
  // Of what has been sent and is not acknowledged; it also ends the keepalives' patience where that is longer.
  set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, static_cast<int>(silent_after_ms));
}

int connection_error(Sys& sys, int fd) {
  if (const int error = take_error(sys, fd)) return error;
  if (!is_connected_to_itself(fd)) return 0;
  abort_at_close(fd);
  return ECONNREFUSED;
}

int take_error(Sys& sys, int fd) {
  int error = 0;
  socklen_t size = sizeof error;
  return sys.getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

std::optional<int> read_and_drop(Sys& sys, int fd) {
  char buffer[16 << 10];
  for (int i = 0; i < 4; i++) {
    const ssize_t got = retry_eintr([&] { return sys.recv(fd, buffer, sizeof buffer, MSG_DONTWAIT); });
    if (got == 0) return 0;
    if (got < 0) return errno == EAGAIN ? std::nullopt : std::optional(errno);
  }
  return std::nullopt;
}

void abort_at_close(int fd) {
  const linger now{1, 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

Answer answer_of(int error) {
  switch (error) {
    case 0:
      return Answer::accepted;
    case ECONNREFUSED:
    case ECONNRESET:
    case EPIPE:
    case ENOENT:
    case ENOTDIR:
      return Answer::refused;
    case EHOSTUNREACH:
    case ENETUNREACH:
    case EHOSTDOWN:
    case ENETDOWN:
      return Answer::unreachable;
    case ETIMEDOUT:
      return Answer::none;
    case EAGAIN:
      return Answer::busy;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
    case ENOSPC:
    case EADDRNOTAVAIL:
      return Answer::own_trouble;
    default:
      return Answer::impossible;
  }
}

std::string trouble_words(int error) {
  const std::string words = std::string("No connection can be asked for: ") + strerrordesc_np(error) + ". ";
  switch (error) {
    case EACCES:
    case EPERM:
      return words + "Let the user that sockmon runs as write to the socket.";
    case EMFILE:
      return words + "Raise LimitNOFILE of the service.";
    case EPROTOTYPE:
      return words + "Only a stream socket has connections: watch its process instead.";
    case EAFNOSUPPORT:
      return words + "This machine does not speak the protocol of that address.";
    default:
      return words + "It is tried again.";
  }
}

}  // namespace sockmon
