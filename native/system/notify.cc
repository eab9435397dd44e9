#include "system/notify.h"

#include <sys/un.h>

#include <cstddef>
#include <cstring>

#include "base/unique_fd.h"

namespace sockmon {

bool notify(Sys& sys, const std::string& address, const std::string& message) {
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  // Virtual machines get `vsock:` addresses of another family.
  if (address.size() < 2 || address.size() >= sizeof to.sun_path || (address[0] != '/' && address[0] != '@')) return false;
  memcpy(to.sun_path, address.data(), address.size());
  if (address[0] == '@') to.sun_path[0] = '\0';
  // To the length of the name: in an abstract one every byte counts.
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address.size());
  // A socket for each: the manager's may be a new one after it was executed anew.
  const UniqueFd socket(sys.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket) return false;
  const ssize_t sent = retry_eintr([&] {
    return sys.sendto(socket.get(), message.data(), message.size(), MSG_DONTWAIT | MSG_NOSIGNAL,
                      reinterpret_cast<const sockaddr*>(&to), size);
  });
  return sent == static_cast<ssize_t>(message.size());
}

}  // namespace sockmon
