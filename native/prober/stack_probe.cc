#include "prober/stack_probe.h"

#include <netinet/in.h>

#include <cstring>

#include "base/error.h"

namespace sockmon {
namespace {

constexpr double kPatienceMs = 200;

bool connect_to_itself(int fd) {
  // Without it a machine whose `lo` is down would send the datagram out over its default route, and wait in vain.
  // Before Linux 5.7 only root may: not to have it costs 200 ms in that case.
  setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 2);
  sockaddr_in self{};
  self.sin_family = AF_INET;
  self.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof self;
  const auto address = reinterpret_cast<sockaddr*>(&self);
  return bind(fd, address, sizeof self) == 0 && getsockname(fd, address, &size) == 0 && connect(fd, address, size) == 0;
}

}  // namespace

StackProbe::StackProbe(Reactor& reactor, Answer answer)
    : reactor_(reactor), answer_(std::move(answer)), patience_(reactor, [this] { finish(ETIMEDOUT); }) {}

void StackProbe::ask() {
  if (waiting()) return;
  const int error = send();
  if (error != EAGAIN) finish(error);
}

int StackProbe::send() {
  Sys& sys = reactor_.sys();
  UniqueFd fd(sys.socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd || !connect_to_itself(fd.get())) return errno;
  token_ = sys.boot_ms();
  if (retry_eintr([&] { return sys.send(fd.get(), &token_, sizeof token_, 0); }) < 0) return errno;
  const int error = receive(fd.get());
  if (error != EAGAIN) return error;
  // The rare case: a busy softirq, or a packet filter.
  try {
    wait(std::move(fd));
  } catch (const Error&) {
    return ENOSPC;  // the epoll set is full
  }
  return EAGAIN;
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

void StackProbe::wait(UniqueFd fd) {
  socket_ = std::make_unique<FdWatch>(reactor_, std::move(fd), EPOLLIN, [this](uint32_t) {
    const int error = receive(socket_->fd());
    if (error != EAGAIN) finish(error);
  });
  patience_.arm(kPatienceMs);
}

void StackProbe::finish(int error) {
  socket_.reset();
  patience_.cancel();
  answer_(error);
}

}  // namespace sockmon
