#include "prober/stack_probe.h"
#include "sensors/stack.h"

#include "base/error.h"
#include "check.h"

namespace sockmon {
namespace {

std::function<ssize_t(int)> on_any_fd(std::function<int()> hook) {
  return [hook = std::move(hook)](int) -> ssize_t { return hook(); };
}

void a_living_stack_answers() { CHECK(probe_stack(real_sys()) == 0); }

void interruptions_and_delays_are_no_failure() {
  FakeSys sys;
  sys.on_send = on_any_fd(failing(EINTR, 2));
  sys.on_recv = on_any_fd(failing(EINTR, 2));
  sys.on_poll = failing(EINTR, 2);
  CHECK(probe_stack(sys) == 0);
  sys.on_recv = on_any_fd(failing(EAGAIN, 1));
  CHECK(probe_stack(sys) == 0);
}

void each_failure_has_its_errno() {
  FakeSys sys;
  sys.on_recv = on_any_fd(failing(EAGAIN, 9));
  sys.on_poll = [] { return 0; };
  CHECK(probe_stack(sys) == ETIMEDOUT);
  sys.on_send = on_any_fd(failing(ENETUNREACH, 9));
  CHECK(probe_stack(sys) == ENETUNREACH);
  sys.on_socket = [](int) { return fail(EAFNOSUPPORT); };
  CHECK(probe_stack(sys) == EAFNOSUPPORT);
}

struct World {
  FakeSys sys;
  Reactor reactor{sys, no_errors};
  LinkHub hub{reactor};
  RecordingHost host;
  StackSensor sensor;
  explicit World(double every_ms = 60'000) : sensor(reactor, hub, host, {every_ms}) {}
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
  world.sys.on_socket = [](int domain) { return domain == AF_INET ? fail(EMFILE) : FakeSys::kReal; };
  CHECK(world.sensor.snapshot().state == SensorState::up);
  CHECK(world.host.reports.empty() && world.host.faults.size() == 1 && world.host.faults[0].code == "EMFILE");
}

void without_netlink_it_probes_by_the_clock() {
  World world(5);
  world.sys.on_socket = [](int domain) { return domain == AF_NETLINK ? fail(EPERM) : FakeSys::kReal; };
  CHECK(world.sensor.start().state == SensorState::up);
  CHECK(world.host.faults.size() == 1 && world.host.faults[0].code == "EPERM");
  world.sys.on_send = on_any_fd([] { return fail(ENETUNREACH); });
  run_until(world.reactor, [&] { return world.host.reports.size() == 1; });
}

}  // namespace

void test_stack() {
  a_living_stack_answers();
  interruptions_and_delays_are_no_failure();
  each_failure_has_its_errno();
  one_failure_is_tried_again_at_once();
  two_failures_are_a_death_and_an_answer_is_its_end();
  a_stack_that_never_answered_is_absent();
  our_own_lack_of_descriptors_is_not_its_death();
  without_netlink_it_probes_by_the_clock();
}

}  // namespace sockmon
