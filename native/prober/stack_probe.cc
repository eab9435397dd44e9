#include "prober/stack_probe.h"

#include <netinet/in.h>

#include <cstring>

#include "base/unique_fd.h"

namespace sockmon {
namespace {

constexpr int kPatienceMs = 200;

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

int probe_stack(Sys& sys) {
  UniqueFd fd(sys.socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd || !connect_to_itself(fd.get())) return errno;
  const double token = sys.boot_ms();
  if (retry_eintr([&] { return sys.send(fd.get(), &token, sizeof token, 0); }) < 0) return errno;
  double got = 0;
  for (;;) {
    const ssize_t size = retry_eintr([&] { return sys.recv(fd.get(), &got, sizeof got, 0); });
    if (size == static_cast<ssize_t>(sizeof got) && memcmp(&got, &token, sizeof got) == 0) return 0;
    if (size >= 0) continue;  // somebody else's datagram
    if (errno != EAGAIN) return errno;
    // Loopback delivers within send(2), so this is the rare case: a busy softirq, or a packet filter.
    pollfd poll{fd.get(), POLLIN, 0};
    const int ready = retry_eintr([&] { return sys.poll(&poll, 1, kPatienceMs); });
    if (ready == 0) return ETIMEDOUT;
    if (ready < 0) return errno;
  }
}

}  // namespace sockmon
