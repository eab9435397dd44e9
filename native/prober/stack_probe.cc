#include "prober/stack_probe.h"

#include <netinet/in.h>

#include <cstring>

#include "base/error.h"

namespace sockmon {
namespace {

constexpr double kPatienceMs = 200;

socklen_t loopback_of(sa_family_t family, sockaddr_storage& address) {
  address = {};
  address.ss_family = family;
  if (family == AF_INET) {
    reinterpret_cast<sockaddr_in&>(address).sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return sizeof(sockaddr_in);
  }
  reinterpret_cast<sockaddr_in6&>(address).sin6_addr = in6addr_loopback;
  return sizeof(sockaddr_in6);
}

bool connect_to_itself(int fd, sa_family_t family) {
  // Without it a machine whose `lo` is down would send the datagram out over its default route, and wait in vain.
  // Before Linux 5.7 only root may: not to have it costs 200 ms in that case.
  setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 2);
  sockaddr_storage self;
  socklen_t size = loopback_of(family, self);
  const auto address = reinterpret_cast<sockaddr*>(&self);
  return bind(fd, address, size) == 0 && getsockname(fd, address, &size) == 0 && connect(fd, address, size) == 0;
}

/// The kernel lacks the family, or `lo` has no address of it.
bool is_missing(int error) { return error == EAFNOSUPPORT || error == EADDRNOTAVAIL; }

}  // namespace

StackProbe::StackProbe(Reactor& reactor, Answer answer)
    : reactor_(reactor), answer_(std::move(answer)), patience_(reactor, [this] { on_timeout(); }) {}

void StackProbe::ask() {
  if (waiting()) return;
  token_ = reactor_.sys().boot_ms();
  for (Ask* ask : {&ask_v4_, &ask_v6_}) {
    send(*ask);
    if (ask->error == 0) return finish(0);
  }
  if (waiting())
    patience_.arm(kPatienceMs);
  else
    finish(verdict());
}

void StackProbe::send(Ask& ask) {
  try {
    ask.error = exchange(ask);
  } catch (const Error&) {
    ask.error = ENOSPC;  // the epoll set is full
  }
}

int StackProbe::exchange(Ask& ask) {
  Sys& sys = reactor_.sys();
  UniqueFd fd(sys.socket(ask.family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd || !connect_to_itself(fd.get(), ask.family)) return errno;
  if (retry_eintr([&] { return sys.send(fd.get(), &token_, sizeof token_, 0); }) < 0) return errno;
  const int error = receive(fd.get());
  // The rare case: a busy softirq, or a packet filter.
  if (error == EAGAIN) wait(ask, std::move(fd));
  return error;
}

int StackProbe::receive(int fd) {
  for (;;) {
    double got = 0;
    const ssize_t size = retry_eintr([&] { return reactor_.sys().recv(fd, &got, sizeof got, 0); });
    if (size < 0) return errno;
    if (size == static_cast<ssize_t>(sizeof got) && memcmp(&got, &token_, sizeof got) == 0) return 0;
    // Somebody else's datagram.
  }
}

void StackProbe::wait(Ask& ask, UniqueFd fd) {
  ask.socket =
      std::make_unique<FdWatch>(reactor_, std::move(fd), EPOLLIN, [this, &ask](uint32_t) { on_datagram(ask); });
}

void StackProbe::on_datagram(Ask& ask) {
  ask.error = receive(ask.socket->fd());
  if (ask.error == EAGAIN) return;
  if (ask.error == 0) return finish(0);
  ask.socket.reset();
  if (!waiting()) finish(verdict());
}

void StackProbe::on_timeout() {
  for (Ask* ask : {&ask_v4_, &ask_v6_})
    if (ask->socket) ask->error = ETIMEDOUT;
  finish(verdict());
}

/// Neither has passed: why not.
int StackProbe::verdict() const {
  return is_missing(ask_v4_.error) && !is_missing(ask_v6_.error) ? ask_v6_.error : ask_v4_.error;
}

void StackProbe::finish(int error) {
  ask_v4_.socket.reset();
  ask_v6_.socket.reset();
  patience_.cancel();
  answer_(error);
}

}  // namespace sockmon
