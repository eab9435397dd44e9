// What the tests of the core have in common: a check that says where it failed, faults to inject, and a way to wait.
#pragma once
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <string>

#include "base/error.h"
#include "base/reactor.h"
#include "base/sys.h"
#include "core/sensor.h"

#define CHECK(condition)                                                      \
  do {                                                                        \
    if (!(condition)) {                                                       \
      fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #condition); \
      abort();                                                                \
    }                                                                         \
  } while (false)

namespace sockmon {

/// The real system calls, except those for which a test has set something else.
struct FakeSys : Sys {
  std::function<int(pid_t)> on_pidfd_open;
  std::function<int(int, PidfdInfo*)> on_pidfd_get_info;
  std::function<int()> on_epoll_wait;
  std::function<int(pid_t*)> on_posix_spawn;
  std::function<int()> on_waitid;
  std::function<int()> on_pipe2;
  std::function<int(const char*)> on_access;
  std::function<int(int)> on_pidfd_send_signal;
  std::function<int(const char*)> on_inotify_add_watch;
  std::function<ssize_t()> on_sendto;
  std::function<void()> on_sync;
  std::function<int()> on_reboot;
  std::function<int()> on_reset;
  std::function<int(int)> on_socket;
  std::function<int(int, const sockaddr*, socklen_t)> on_connect;
  std::function<int(int option, void* value)> on_getsockopt;
  std::function<ssize_t(int)> on_send;
  std::function<ssize_t(int)> on_recv;
  std::function<int()> on_poll;
  double wall_step_ms = 0;

  /// A hook that returns this lets the real call through.
  static constexpr int kReal = -1000;

  int epoll_wait(int epoll, epoll_event* events, int max) override {
    const int result = on_epoll_wait ? on_epoll_wait() : kReal;
    return result != kReal ? result : Sys::epoll_wait(epoll, events, max);
  }
  int pidfd_open(pid_t pid) override {
    const int result = on_pidfd_open ? on_pidfd_open(pid) : kReal;
    return result != kReal ? result : Sys::pidfd_open(pid);
  }
  int pidfd_get_info(int pidfd, PidfdInfo* info) override {
    const int result = on_pidfd_get_info ? on_pidfd_get_info(pidfd, info) : kReal;
    return result != kReal ? result : Sys::pidfd_get_info(pidfd, info);
  }
  int posix_spawn(pid_t* pid, const char* path, const posix_spawn_file_actions_t* actions,
                  const posix_spawnattr_t* attributes, char* const argv[], char* const envp[]) override {
    const int result = on_posix_spawn ? on_posix_spawn(pid) : kReal;
    return result != kReal ? result : Sys::posix_spawn(pid, path, actions, attributes, argv, envp);
  }
  int waitid(idtype_t type, id_t id, siginfo_t* info, int options) override {
    const int result = on_waitid ? on_waitid() : kReal;
    return result != kReal ? result : Sys::waitid(type, id, info, options);
  }
  int pipe2(int fds[2], int flags) override {
    const int result = on_pipe2 ? on_pipe2() : kReal;
    return result != kReal ? result : Sys::pipe2(fds, flags);
  }
  int access(const char* path, int mode) override {
    const int result = on_access ? on_access(path) : kReal;
    return result != kReal ? result : Sys::access(path, mode);
  }
  int pidfd_send_signal(int pidfd, int signal) override {
    const int result = on_pidfd_send_signal ? on_pidfd_send_signal(signal) : kReal;
    return result != kReal ? result : Sys::pidfd_send_signal(pidfd, signal);
  }
  int inotify_add_watch(int inotify, const char* path, uint32_t mask) override {
    const int result = on_inotify_add_watch ? on_inotify_add_watch(path) : kReal;
    return result != kReal ? result : Sys::inotify_add_watch(inotify, path, mask);
  }
  ssize_t sendto(int fd, const void* data, size_t size, int flags, const sockaddr* to, socklen_t to_size) override {
    const ssize_t result = on_sendto ? on_sendto() : kReal;
    return result != kReal ? result : Sys::sendto(fd, data, size, flags, to, to_size);
  }
  /// These three never reach the machine.
  void sync() override {
    if (on_sync) on_sync();
  }
  int reboot() override {
    if (on_reboot) return on_reboot();
    errno = EPERM;
    return -1;
  }
  int reset() override {
    if (on_reset) return on_reset();
    errno = EPERM;
    return -1;
  }
  int socket(int domain, int type, int protocol) override {
    const int result = on_socket ? on_socket(domain) : kReal;
    return result != kReal ? result : Sys::socket(domain, type, protocol);
  }
  int connect(int fd, const sockaddr* to, socklen_t to_size) override {
    const int result = on_connect ? on_connect(fd, to, to_size) : kReal;
    return result != kReal ? result : Sys::connect(fd, to, to_size);
  }
  int getsockopt(int fd, int level, int option, void* value, socklen_t* size) override {
    const int result = on_getsockopt ? on_getsockopt(option, value) : kReal;
    return result != kReal ? result : Sys::getsockopt(fd, level, option, value, size);
  }
  ssize_t send(int fd, const void* data, size_t size, int flags) override {
    const ssize_t result = on_send ? on_send(fd) : kReal;
    return result != kReal ? result : Sys::send(fd, data, size, flags);
  }
  ssize_t recv(int fd, void* data, size_t size, int flags) override {
    const ssize_t result = on_recv ? on_recv(fd) : kReal;
    return result != kReal ? result : Sys::recv(fd, data, size, flags);
  }
  int poll(pollfd* fds, nfds_t count, int timeout_ms) override {
    const int result = on_poll ? on_poll() : kReal;
    return result != kReal ? result : Sys::poll(fds, count, timeout_ms);
  }
  double wall_ms() override { return Sys::wall_ms() + wall_step_ms; }
};

/// For hooks: `return fail(EINTR);`
inline int fail(int error) {
  errno = error;
  return -1;
}

/// Fails the first `times` calls with this errno, then lets the real call through.
inline std::function<int()> failing(int error, int times = 1) {
  return [error, left = times]() mutable { return left-- > 0 ? fail(error) : FakeSys::kReal; };
}

inline void no_errors(const std::string& code, const std::string& detail) {
  fprintf(stderr, "unexpected error %s: %s\n", code.c_str(), detail.c_str());
  abort();
}

/// The code of the Error that it throws; "": none.
inline std::string code_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.code();
  }
  return "";
}

/// Turns the loop until the condition holds; fails after 20 s.
inline void run_until(Reactor& reactor, const std::function<bool()>& condition) {
  const double deadline_ms = reactor.sys().boot_ms() + 20'000;
  // So that it also sees what comes without an event.
  Timer tick(reactor, [&] { tick.arm(5); });
  tick.arm(5);
  while (!condition()) {
    CHECK(reactor.sys().boot_ms() < deadline_ms);
    reactor.run_once();
  }
}

/// Keeps everything that a sensor tells.
struct RecordingHost : SensorHost {
  std::vector<std::string> order;
  std::vector<SensorReport> reports;
  std::vector<CauseReport> causes;
  std::vector<Fault> faults;
  std::vector<std::optional<pid_t>> questions;

  void died(Nature) override { order.push_back("died"); }
  void doubt_others() override {}
  void report(const SensorReport& report) override {
    order.push_back("report");
    reports.push_back(report);
  }
  void cause(pid_t pid, ExitCause cause) override { causes.push_back({"", 0, pid, cause}); }
  void ask(std::optional<pid_t> pid) override { questions.push_back(pid); }
  void fault(const std::string& code, const std::string& detail) override {
    faults.push_back({std::nullopt, std::nullopt, code, detail, 0});
  }
  /// As a real host does: only the end of what was told counts.
  void works() override {
    if (!faults.empty()) faults.back().active = false;
  }
};

/// A directory of its own, removed at the end.
class TempDir {
 public:
  TempDir() {
    char name[] = "/var/tmp/sockmon-core-XXXXXX";
    CHECK(mkdtemp(name) != nullptr);
    path_ = name;
  }
  ~TempDir();
  const std::string& path() const { return path_; }
  /// Writes a file, making the directories on the way; returns its path.
  std::string write(const std::string& name, const std::string& text) const;

 private:
  std::string path_;
};

void test_basics();
void test_reactor();
void test_proc_fs();
void test_process_name();
void test_successor();
void test_turns();
void test_holders();
void test_sock_diag();
void test_process_finder();
void test_roll();
void test_census();
void test_identity();
void test_listen();
void test_netlink();
void test_network_store();
void test_network_property();
void test_link_judge();
void test_uplink_table();
void test_link_hub();
void test_kernel_lock();
void test_stack();
void test_output();
void test_run();
void test_adopt();
void test_process_sensor();
void test_connection();
void test_hand_over();
void test_monitor();
void test_folder_hub();
void test_path_watch();
void test_unit_group();
void test_unit();
void test_notify();
void test_reboot();
void test_write_now();

}  // namespace sockmon
