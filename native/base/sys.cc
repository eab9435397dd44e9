#include "base/sys.h"

#include <fcntl.h>
#include <net/if.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <ctime>

#include "base/unique_fd.h"

namespace sockmon {
namespace {

double clock_ms(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

}  // namespace

int Sys::epoll_wait(int epoll, epoll_event* events, int max) { return ::epoll_wait(epoll, events, max, -1); }

// glibc 2.36 wraps the pidfd calls, older ones do not: the numbers are the same on every architecture.
int Sys::pidfd_open(pid_t pid) { return static_cast<int>(syscall(SYS_pidfd_open, pid, 0)); }

int Sys::pidfd_get_info(int pidfd, PidfdInfo* info) { return ioctl(pidfd, _IOWR(0xFF, 11, PidfdInfo), info); }

int Sys::pidfd_send_signal(int pidfd, int signal) {
  return static_cast<int>(syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0));
}

int Sys::kill(pid_t pid, int signal) { return ::kill(pid, signal); }

int Sys::waitid(idtype_t type, id_t id, siginfo_t* info, int options) {
  return ::waitid(type, id, info, options);
}

int Sys::posix_spawn(pid_t* pid, const char* path, const posix_spawn_file_actions_t* actions,
                     const posix_spawnattr_t* attributes, char* const argv[], char* const envp[]) {
  return ::posix_spawn(pid, path, actions, attributes, argv, envp);
}

int Sys::pipe2(int fds[2], int flags) { return ::pipe2(fds, flags); }

int Sys::access(const char* path, int mode) { return ::access(path, mode); }

int Sys::inotify_init1(int flags) { return ::inotify_init1(flags); }

int Sys::inotify_add_watch(int inotify, const char* path, uint32_t mask) {
  return ::inotify_add_watch(inotify, path, mask);
}

int Sys::socket(int domain, int type, int protocol) { return ::socket(domain, type, protocol); }

int Sys::connect(int fd, const sockaddr* to, socklen_t to_size) { return ::connect(fd, to, to_size); }

int Sys::getsockopt(int fd, int level, int option, void* value, socklen_t* size) {
  return ::getsockopt(fd, level, option, value, size);
}

ssize_t Sys::send(int fd, const void* data, size_t size, int flags) { return ::send(fd, data, size, flags); }

ssize_t Sys::sendto(int fd, const void* data, size_t size, int flags, const sockaddr* to, socklen_t to_size) {
  return ::sendto(fd, data, size, flags, to, to_size);
}

ssize_t Sys::recv(int fd, void* data, size_t size, int flags) { return ::recv(fd, data, size, flags); }

int Sys::poll(pollfd* fds, nfds_t count, int timeout_ms) { return ::poll(fds, count, timeout_ms); }

int Sys::interface_flags(const char* name, unsigned* flags) {
  UniqueFd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd) return -1;
  ifreq request{};
  strncpy(request.ifr_name, name, IFNAMSIZ - 1);
  if (ioctl(fd.get(), SIOCGIFFLAGS, &request) != 0) return -1;
  *flags = static_cast<unsigned short>(request.ifr_flags);
  return 0;
}

double Sys::boot_ms() { return clock_ms(CLOCK_BOOTTIME); }
double Sys::wall_ms() { return clock_ms(CLOCK_REALTIME); }

void Sys::sync() { ::sync(); }
int Sys::reboot() { return ::reboot(RB_AUTOBOOT); }

int Sys::reset() {
  const UniqueFd fd(open("/proc/sysrq-trigger", O_WRONLY | O_CLOEXEC));
  if (!fd) return -1;
  return write(fd.get(), "b", 1) == 1 ? 0 : -1;
}

Sys& real_sys() {
  static Sys sys;
  return sys;
}

}  // namespace sockmon
