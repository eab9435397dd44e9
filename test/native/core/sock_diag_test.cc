#include "process/sock_diag.h"

#include <linux/netlink.h>
#include <netinet/in.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <random>

#include "base/unique_fd.h"
#include "check.h"
#include "process/listeners.h"

namespace sockmon {
namespace {

uint64_t inode_of(const UniqueFd& fd) {
  struct stat socket {};
  CHECK(fstat(fd.get(), &socket) == 0);
  return socket.st_ino;
}

/// A socket on 127.0.0.1 or [::1]; port 0 takes any.
UniqueFd bound(int type, bool v6, bool any, uint16_t& port, bool v6_only = true) {
  UniqueFd fd(socket(v6 ? AF_INET6 : AF_INET, type | SOCK_CLOEXEC, 0));
  sockaddr_in6 six{};
  six.sin6_family = AF_INET6;
  six.sin6_port = htons(port);
  six.sin6_addr = any ? in6addr_any : in6addr_loopback;
  sockaddr_in four{};
  four.sin_family = AF_INET;
  four.sin_port = htons(port);
  four.sin_addr.s_addr = htonl(any ? INADDR_ANY : INADDR_LOOPBACK);
  const int only = v6_only ? 1 : 0;
  if (v6) CHECK(setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only) == 0);
  const auto* address = v6 ? reinterpret_cast<sockaddr*>(&six) : reinterpret_cast<sockaddr*>(&four);
  CHECK(bind(fd.get(), address, v6 ? sizeof six : sizeof four) == 0);
  if (type == SOCK_STREAM) CHECK(listen(fd.get(), 1) == 0);
  sockaddr_in6 given{};
  socklen_t size = sizeof given;
  CHECK(getsockname(fd.get(), reinterpret_cast<sockaddr*>(&given), &size) == 0);
  port = ntohs(given.sin6_port);  // at the same place in both
  return fd;
}

UniqueFd unix_socket(const std::string& path, int type = SOCK_STREAM) {
  UniqueFd fd(socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  CHECK(path.size() < sizeof address.sun_path);
  memcpy(address.sun_path, path.data(), path.size());
  if (path[0] == '@') address.sun_path[0] = '\0';
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + (path[0] == '@' ? 0 : 1));
  CHECK(bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
  if (type == SOCK_STREAM) CHECK(listen(fd.get(), 1) == 0);
  return fd;
}

std::vector<uint64_t> found(const std::string& text, Sys& sys = real_sys()) {
  return inodes_of(find_listeners(sys, ProcFs(), *parse_listen(text)));
}

/// Each of these is found by sock_diag, and without it.
template <typename Test>
void both_ways(Test test) {
  FakeSys sys;
  test(sys);
  sys.on_socket = [](int domain) { return domain == AF_NETLINK ? fail(EPERM) : FakeSys::kReal; };
  test(sys);
}

void tcp_and_udp_are_found_by_address() {
  both_ways([](Sys& sys) {
    uint16_t port = 0;
    const UniqueFd tcp = bound(SOCK_STREAM, false, false, port);
    const UniqueFd six = bound(SOCK_STREAM, true, false, port);
    uint16_t udp_port = 0;
    const UniqueFd udp = bound(SOCK_DGRAM, false, false, udp_port);
    const std::string text = std::to_string(port);
    CHECK((found("tcp:127.0.0.1:" + text, sys) == std::vector<uint64_t>{inode_of(tcp)}));
    CHECK((found("tcp:[::1]:" + text, sys) == std::vector<uint64_t>{inode_of(six)}));
    CHECK(found("tcp:" + text, sys).size() == 2);
    CHECK(found("tcp:127.0.0.2:" + text, sys).empty());
    CHECK((found("udp:127.0.0.1:" + std::to_string(udp_port), sys) == std::vector<uint64_t>{inode_of(udp)}));
  });
}

void a_wildcard_of_ipv6_serves_ipv4_unless_it_is_told_not_to() {
  uint16_t port = 0;
  {
    const UniqueFd both = bound(SOCK_STREAM, true, true, port, false);
    CHECK((found("tcp:127.0.0.1:" + std::to_string(port)) == std::vector<uint64_t>{inode_of(both)}));
  }
  uint16_t other = 0;
  const UniqueFd six = bound(SOCK_STREAM, true, true, other, true);
  CHECK(found("tcp:127.0.0.1:" + std::to_string(other)).empty());
  CHECK(found("tcp:[::1]:" + std::to_string(other)).size() == 1);
}

void a_unix_socket_is_found_through_symbolic_links() {
  const TempDir dir;
  CHECK(mkdir((dir.path() + "/run").c_str(), 0700) == 0);
  CHECK(symlink("run", (dir.path() + "/var-run").c_str()) == 0);
  const UniqueFd fd = unix_socket(dir.path() + "/run/a b.sock");
  CHECK(symlink("a b.sock", (dir.path() + "/run/other").c_str()) == 0);
  both_ways([&](Sys& sys) {
    CHECK((found("unix:" + dir.path() + "/run/a b.sock", sys) == std::vector<uint64_t>{inode_of(fd)}));
    CHECK((found("unix:" + dir.path() + "/var-run/a b.sock", sys) == std::vector<uint64_t>{inode_of(fd)}));
    CHECK(found("unix:" + dir.path() + "/run/none", sys).empty());
  });
  // Only the kernel knows which file it is.
  CHECK(found("unix:" + dir.path() + "/run/other").size() == 1);
}

void who_still_listens_on_a_removed_file_is_not_found() {
  const TempDir dir;
  const std::string path = dir.path() + "/x.sock";
  const UniqueFd old = unix_socket(path);
  CHECK(unlink(path.c_str()) == 0);
  const UniqueFd successor = unix_socket(path);
  CHECK((found("unix:" + path) == std::vector<uint64_t>{inode_of(successor)}));
}

void abstract_and_datagram_sockets_are_found() {
  const TempDir dir;
  const std::string name = "@sockmon-core-" + std::to_string(getpid());
  const UniqueFd abstract = unix_socket(name);
  const UniqueFd log = unix_socket(dir.path() + "/log", SOCK_DGRAM);
  both_ways([&](Sys& sys) {
    CHECK((found("unix:" + name, sys) == std::vector<uint64_t>{inode_of(abstract)}));
    CHECK((found("unix:" + dir.path() + "/log", sys) == std::vector<uint64_t>{inode_of(log)}));
  });
}

void a_refusal_is_told() {
  FakeSys sys;
  sys.on_recv = [](int) { return fail(ENOMEM); };
  CHECK(!diagnose_sockets(sys, ListenSpec::Kind::tcp, 1) && errno == ENOMEM);
}

void no_length_is_believed() {
  // A real answer, damaged at random places and cut at random lengths.
  const TempDir dir;
  const UniqueFd listener = unix_socket(dir.path() + "/x.sock");
  FakeSys sys;
  std::string whole;
  sys.on_recv = [&](int fd) -> ssize_t {
    char buffer[32 << 10];
    const ssize_t got = ::recv(fd, buffer, sizeof buffer, MSG_PEEK);
    if (got > 0 && whole.empty()) whole.assign(buffer, static_cast<size_t>(got));
    return FakeSys::kReal;
  };
  CHECK(diagnose_sockets(sys, ListenSpec::Kind::unix_path, 0));
  CHECK(whole.size() > sizeof(nlmsghdr));
  std::mt19937 random(3);
  for (int round = 0; round < 3000; round++) {
    std::string text = whole.substr(0, random() % whole.size() + 1);
    for (int i = 0; i < 4; i++) text[random() % text.size()] = static_cast<char>(random());
    // In memory of just that size, so that the sanitizer sees what is read behind it.
    const std::unique_ptr<char[]> exact(new char[text.size()]);
    memcpy(exact.get(), text.data(), text.size());
    std::vector<BoundSocket> sockets;
    read_diag(exact.get(), text.size(), 1, ListenSpec::Kind::unix_path, sockets);
    read_diag(exact.get(), text.size(), 1, ListenSpec::Kind::tcp, sockets);
  }
}

void addresses_are_said_as_people_write_them() {
  uint16_t port = 0;
  const UniqueFd four = bound(SOCK_STREAM, false, false, port);
  const auto sockets = find_listeners(real_sys(), ProcFs(), *parse_listen("tcp:" + std::to_string(port)));
  CHECK(address_words(sockets.at(0)) == "127.0.0.1:" + std::to_string(port));
}

}  // namespace

void test_sock_diag() {
  tcp_and_udp_are_found_by_address();
  a_wildcard_of_ipv6_serves_ipv4_unless_it_is_told_not_to();
  a_unix_socket_is_found_through_symbolic_links();
  who_still_listens_on_a_removed_file_is_not_found();
  abstract_and_datagram_sockets_are_found();
  a_refusal_is_told();
  no_length_is_believed();
  addresses_are_said_as_people_write_them();
}

}  // namespace sockmon
