#include "prober/stack_probe.h"
#include "sensors/stack.h"

#include <netinet/in.h>

#include <utility>

#include "base/error.h"
#include "check.h"

namespace sockmon {
namespace {

std::function<ssize_t(int)> on_any_fd(std::function<int()> hook) {
  return [hook = std::move(hook)](int) -> ssize_t { return hook(); };
}

/// Asks once; fails if the answer does not come from within.
int answer_at_once(Sys& sys) {
  Reactor reactor(sys, no_errors);
  int answer = -1;
  StackProbe probe(reactor, [&](int error) { answer = error; });
  probe.ask();
  CHECK(!probe.waiting());
  return answer;
}

/// On the sockets of one family only.
std::function<ssize_t(int)> on_family(int family, std::function<int()> hook) {
  return [family, hook = std::move(hook)](int fd) -> ssize_t {
    int domain = 0;
    socklen_t size = sizeof domain;
    CHECK(getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0);
    return domain == family ? hook() : FakeSys::kReal;
  };
}

/// A family that the kernel does not have.
std::function<int(int)> without(int family) {
  return [family](int domain) { return domain == family ? fail(EAFNOSUPPORT) : FakeSys::kReal; };
}

bool has_ipv6_loopback() {
  const UniqueFd fd(socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_addr = in6addr_loopback;
  return fd && bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
}

/// Leaves netlink alone.
std::function<ssize_t(int)> on_udp(std::function<int()> hook) {
  return [hook = std::move(hook)](int fd) -> ssize_t {
    int domain = 0;
    socklen_t size = sizeof domain;
    CHECK(getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0);
    return domain == AF_INET || domain == AF_INET6 ? hook() : FakeSys::kReal;
  };
}

void a_living_stack_answers() { CHECK(answer_at_once(real_sys()) == 0); }

void interruptions_are_no_failure() {
  FakeSys sys;
  sys.on_send = on_any_fd(failing(EINTR, 2));
  sys.on_recv = on_any_fd(failing(EINTR, 2));
  CHECK(answer_at_once(sys) == 0);
}

void each_failure_has_its_errno() {
  FakeSys sys;
  sys.on_send = on_any_fd(failing(ENETUNREACH, 9));
  CHECK(answer_at_once(sys) == ENETUNREACH);
  sys.on_socket = [](int) { return fail(EAFNOSUPPORT); };
  CHECK(answer_at_once(sys) == EAFNOSUPPORT);
}

void either_family_is_enough() {
  if (!has_ipv6_loopback()) return;
  FakeSys sys;
  // Dropped without a word, refused at once, and not there at all.
  sys.on_recv = on_family(AF_INET, [] { return fail(EAGAIN); });
  CHECK(answer_at_once(sys) == 0);
  sys.on_recv = nullptr;
  sys.on_send = on_family(AF_INET, [] { return fail(EPERM); });
  CHECK(answer_at_once(sys) == 0);
  sys.on_send = nullptr;
  sys.on_socket = without(AF_INET);
  CHECK(answer_at_once(sys) == 0);
}

void ipv6_is_not_asked_where_ipv4_answers() {
  FakeSys sys;
  sys.on_socket = [](int domain) {
    CHECK(domain != AF_INET6);
    return FakeSys::kReal;
  };
  CHECK(answer_at_once(sys) == 0);
}

void what_fails_is_told_of_the_family_that_is_there() {
  FakeSys sys;
  sys.on_socket = without(AF_INET6);
  sys.on_send = on_any_fd([] { return fail(EPERM); });
  CHECK(answer_at_once(sys) == EPERM);
  if (!has_ipv6_loopback()) return;
  sys.on_socket = without(AF_INET);
  CHECK(answer_at_once(sys) == EPERM);
}

void one_family_that_is_refused_does_not_end_the_wait_for_the_other() {
  if (!has_ipv6_loopback()) return;
  FakeSys sys;
  Reactor reactor(sys, no_errors);
  std::vector<int> answers;
  StackProbe probe(reactor, [&](int error) { answers.push_back(error); });
  sys.on_send = on_family(AF_INET6, [] { return fail(EPERM); });
  sys.on_recv = on_any_fd([waits = true]() mutable { return std::exchange(waits, false) ? fail(EAGAIN) : FakeSys::kReal; });
  probe.ask();
  CHECK(probe.waiting() && answers.empty());
  run_until(reactor, [&] { return !answers.empty(); });
  CHECK(answers == std::vector<int>{0});
}

void a_late_answer_is_taken_without_waiting() {
  FakeSys sys;
  Reactor reactor(sys, no_errors);
  std::vector<int> answers;
  StackProbe probe(reactor, [&](int error) { answers.push_back(error); });
  sys.on_recv = on_any_fd(failing(EAGAIN, 2));
  probe.ask();
  CHECK(probe.waiting() && answers.empty());
  probe.ask();
  run_until(reactor, [&] { return !probe.waiting(); });
  CHECK(answers == std::vector<int>{0});
}

void no_answer_is_a_timeout_that_keeps_nobody_waiting() {
  FakeSys sys;
  Reactor reactor(sys, no_errors);
  std::vector<int> answers;
  StackProbe probe(reactor, [&](int error) { answers.push_back(error); });
  sys.on_recv = on_any_fd([] { return fail(EAGAIN); });
  const double asked_ms = sys.boot_ms();
  probe.ask();
  CHECK(probe.waiting() && sys.boot_ms() - asked_ms < 100);
  run_until(reactor, [&] { return !answers.empty(); });
  CHECK(answers == std::vector<int>{ETIMEDOUT} && sys.boot_ms() - asked_ms >= 200);
}

struct World {
  FakeSys sys;
  Reactor reactor{sys, no_errors};
  LinkHub hub{reactor};
  RecordingHost host;
  StackSensor sensor;
  /// `reads` false: the test breaks the reading of the network.
  explicit World(double every_ms = 60'000, bool reads = true) : sensor(reactor, hub, host, {every_ms}) {
    if (!reads) return;
    hub.begin();
    run_until(reactor, [this] { return hub.knows(); });
  }
};

void one_failure_is_tried_again_at_once() {
  World world;
  CHECK(world.sensor.start().state == SensorState::up);
  world.sys.on_send = on_any_fd(failing(EPERM, 1));
  CHECK(world.sensor.snapshot().state == SensorState::up && world.host.reports.empty());
}

void two_failures_are_a_death_and_an_answer_is_its_end() {
  World world(5);
  world.sensor.start();
  world.sys.on_send = on_any_fd([] { return fail(ENETUNREACH); });
  run_until(world.reactor, [&] { return world.host.reports.size() == 1; });
  const SensorReport down = world.host.reports[0];
  CHECK(down.state == SensorState::down && down.reason == &kProbeFailed && down.detail == "ENETUNREACH");
  // The reflex before the report.
  CHECK((world.host.order == std::vector<std::string>{"died", "report"}));
  world.sys.on_send = nullptr;
  run_until(world.reactor, [&] { return world.host.reports.size() == 2; });
  CHECK(world.host.reports[1].state == SensorState::up && !world.host.reports[1].reason && world.host.order.size() == 3);
}

void a_stack_that_never_answered_is_absent() {
  World world(5);
  world.sys.on_send = on_any_fd([] { return fail(ENETUNREACH); });
  const SensorReport report = world.sensor.start();
  CHECK(report.state == SensorState::absent && report.detail == "ENETUNREACH");
  world.sys.on_send = nullptr;
  run_until(world.reactor, [&] { return world.host.reports.size() == 1; });
  CHECK(world.host.reports[0].state == SensorState::up);
}

void our_own_lack_of_descriptors_is_not_its_death() {
  World world;
  world.sensor.start();
  world.sys.on_socket = [](int domain) { return domain == AF_NETLINK ? FakeSys::kReal : fail(EMFILE); };
  CHECK(world.sensor.snapshot().state == SensorState::up);
  CHECK(world.host.reports.empty() && world.host.faults.size() == 1 && world.host.faults[0].code == "EMFILE");
}

void an_answer_that_is_awaited_is_unknown_until_it_comes() {
  for (const int error : {0, ENETUNREACH}) {
    World world;
    world.sys.on_recv = on_udp([waits = 2, error]() mutable {
      if (waits > 0 && waits-- > 0) return fail(EAGAIN);
      return error == 0 ? FakeSys::kReal : fail(error);
    });
    CHECK(world.sensor.start().state == SensorState::unknown);
    run_until(world.reactor, [&] { return world.host.reports.size() == 1; });
    CHECK(world.host.reports[0].state == (error == 0 ? SensorState::up : SensorState::absent));
  }
}

void a_living_one_that_falls_silent_is_dead_after_two_timeouts() {
  World world;
  CHECK(world.sensor.start().state == SensorState::up);
  world.sys.on_recv = on_udp([] { return fail(EAGAIN); });
  const double asked_ms = world.sys.boot_ms();
  CHECK(world.sensor.snapshot().state == SensorState::up && world.sys.boot_ms() - asked_ms < 100);
  run_until(world.reactor, [&] { return world.host.reports.size() == 1; });
  CHECK(world.host.reports[0].detail == "ETIMEDOUT" && world.sys.boot_ms() - asked_ms >= 400);
}

void netlink_that_is_refused_at_start_is_tried_again() {
  World world(60'000, false);
  int left = 1;
  world.sys.on_socket = [&](int domain) { return domain == AF_NETLINK && left-- > 0 ? fail(EMFILE) : FakeSys::kReal; };
  world.sensor.start();
  run_until(world.reactor, [&] { return !world.host.faults.empty(); });
  CHECK(world.host.faults.size() == 1 && world.host.faults[0].active && world.host.faults[0].code == "EMFILE");
  run_until(world.reactor, [&] { return !world.host.faults[0].active; });
}

void without_netlink_it_probes_by_the_clock() {
  World world(5, false);
  world.sys.on_socket = [](int domain) { return domain == AF_NETLINK ? fail(EPERM) : FakeSys::kReal; };
  CHECK(world.sensor.start().state == SensorState::up);
  run_until(world.reactor, [&] { return !world.host.faults.empty(); });
  CHECK(world.host.faults.size() == 1 && world.host.faults[0].code == "EPERM");
  world.sys.on_send = on_any_fd([] { return fail(ENETUNREACH); });
  run_until(world.reactor, [&] { return world.host.reports.size() == 1; });
}

}  // namespace

void test_stack() {
  a_living_stack_answers();
  interruptions_are_no_failure();
  each_failure_has_its_errno();
  either_family_is_enough();
  ipv6_is_not_asked_where_ipv4_answers();
  what_fails_is_told_of_the_family_that_is_there();
  one_family_that_is_refused_does_not_end_the_wait_for_the_other();
  a_late_answer_is_taken_without_waiting();
  no_answer_is_a_timeout_that_keeps_nobody_waiting();
  one_failure_is_tried_again_at_once();
  two_failures_are_a_death_and_an_answer_is_its_end();
  a_stack_that_never_answered_is_absent();
  our_own_lack_of_descriptors_is_not_its_death();
  an_answer_that_is_awaited_is_unknown_until_it_comes();
  a_living_one_that_falls_silent_is_dead_after_two_timeouts();
  netlink_that_is_refused_at_start_is_tried_again();
  without_netlink_it_probes_by_the_clock();
}

}  // namespace sockmon
