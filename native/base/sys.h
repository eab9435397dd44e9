// The seam over the system calls whose failures the tests inject. Each behaves as its system call: -1 and errno.
#pragma once
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstdint>

namespace sockmon {

/// struct pidfd_info of Linux 6.13, first version (64 bytes); defined here because older headers lack it.
struct PidfdInfo {
  uint64_t mask;
  uint64_t cgroup_id;
  uint32_t pid, tgid, ppid;
  uint32_t ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
  int32_t exit_code;
};
static_assert(sizeof(PidfdInfo) == 64, "the ioctl number carries the size");

/// PIDFD_INFO_EXIT, Linux 6.15: exit_code is valid.
constexpr uint64_t kPidfdInfoExit = 1U << 3;

class Sys {
 public:
  virtual ~Sys() = default;

  virtual int epoll_wait(int epoll, epoll_event* events, int max);
  virtual int pidfd_open(pid_t pid);
  virtual int pidfd_get_info(int pidfd, PidfdInfo* info);
  virtual int pidfd_send_signal(int pidfd, int signal);
  virtual int kill(pid_t pid, int signal);
  virtual int waitid(idtype_t type, id_t id, siginfo_t* info, int options);
  virtual int posix_spawn(pid_t* pid, const char* path, const posix_spawn_file_actions_t* actions,
                          const posix_spawnattr_t* attributes, char* const argv[], char* const envp[]);
  virtual int pipe2(int fds[2], int flags);
  virtual int access(const char* path, int mode);
  virtual int inotify_init1(int flags);
  virtual int inotify_add_watch(int inotify, const char* path, uint32_t mask);
  virtual int socket(int domain, int type, int protocol);
  virtual int connect(int fd, const sockaddr* to, socklen_t to_size);
  virtual int getsockopt(int fd, int level, int option, void* value, socklen_t* size);
  virtual ssize_t send(int fd, const void* data, size_t size, int flags);
  virtual ssize_t sendto(int fd, const void* data, size_t size, int flags, const sockaddr* to, socklen_t to_size);
  virtual ssize_t recv(int fd, void* data, size_t size, int flags);
  virtual int poll(pollfd* fds, nfds_t count, int timeout_ms);
  /// SIOCGIFFLAGS, netdevice(7): answered under RCU, while a dump of all links waits for the RTNL lock.
  virtual int interface_flags(const char* name, unsigned* flags);
  /// CLOCK_BOOTTIME in milliseconds: goes on while the machine is suspended.
  virtual double boot_ms();
  virtual double wall_ms();
  virtual void sync();
  /// reboot(2) with RB_AUTOBOOT. No test may reach it.
  virtual int reboot();
  /// "b" to /proc/sysrq-trigger (Documentation/admin-guide/sysrq.rst): a reset at once, past the drivers. No test may reach it.
  virtual int reset();
};

Sys& real_sys();

/// Calls again while the call is interrupted by a signal.
template <typename Call>
auto retry_eintr(Call call) {
  auto result = call();
  while (result == -1 && errno == EINTR) result = call();
  return result;
}

}  // namespace sockmon
