#include "network/link_hub.h"

#include "base/error.h"
#include "check.h"
#include "sensors/link.h"
#include "sensors/named_link.h"

namespace sockmon {
namespace {

struct Counter : LinkObserver {
  int states = 0;
  std::vector<std::string> faults;
  void on_network(const NetworkStore&, const NetworkChanges& changes) override { states += changes.everything ? 1 : 0; }
  void on_hub_fault(const std::string& code, const std::string&) override { faults.push_back(code); }
};

constexpr double kRenewalMs = 100;

std::unique_ptr<LinkJudge> loopback() {
  NamedLinkSpec spec;
  spec.interface = "lo";
  return std::make_unique<NamedLinkJudge>(spec);
}

struct World {
  FakeSys sys;
  Reactor reactor{sys, no_errors};
  LinkHub hub{reactor};
  Counter counter;

  World() { hub.subscribe(&counter); }
  ~World() { hub.unsubscribe(&counter); }
};

void lost_messages_make_it_read_anew() {
  World world;
  // Once for the overflow, then the rest of the queue: nothing.
  int calls = 0;
  world.sys.on_recv = [&](int) -> ssize_t {
    if (calls++ == 0) return fail(ENOBUFS);
    if (calls == 2) return fail(EINTR);
    if (calls == 3) return fail(EAGAIN);
    return FakeSys::kReal;
  };
  world.hub.on_ready();
  CHECK(calls > 3 && world.counter.states == 1);
}

void a_flood_of_nothing_is_not_read_anew() {
  World world;
  world.sys.on_recv = [](int) -> ssize_t { return fail(EAGAIN); };
  world.hub.on_ready();
  CHECK(world.counter.states == 0);
}

void a_failed_dump_is_told_and_tried_again() {
  World world;
  int left = 1;
  world.sys.on_socket = [&](int domain) { return domain == AF_NETLINK && left-- > 0 ? fail(EMFILE) : FakeSys::kReal; };
  world.sys.on_recv = [lost = true](int) mutable -> ssize_t { return std::exchange(lost, false) ? fail(ENOBUFS) : FakeSys::kReal; };
  world.hub.on_ready();
  CHECK(world.counter.faults == std::vector<std::string>{"EMFILE"} && world.counter.states == 0);
  run_until(world.reactor, [&] { return world.counter.states == 1; });
}

void a_sensor_without_netlink_says_so_and_is_not_taken_for_absent() {
  FakeSys sys;
  sys.on_socket = [](int domain) { return domain == AF_NETLINK ? fail(EPERM) : FakeSys::kReal; };
  Reactor reactor(sys, no_errors);
  LinkHub hub(reactor);
  RecordingHost host;
  LinkSensor sensor(reactor, hub, host, loopback(), kRenewalMs);
  const SensorReport report = sensor.start();
  CHECK(report.state == SensorState::unknown && !report.detail.empty());
  CHECK(host.faults.size() == 1 && host.faults[0].code == "EPERM");
  CHECK(sensor.snapshot().state == SensorState::unknown && host.reports.empty());
}

/// Refuses the socket of events, or the dump, at the start of each of two sensors.
void what_is_refused_at_start_is_tried_again(int allowed) {
  FakeSys sys;
  int sockets = 0;
  bool refuses = true;
  sys.on_socket = [&](int domain) {
    return domain == AF_NETLINK && refuses && sockets++ >= allowed ? fail(EMFILE) : FakeSys::kReal;
  };
  Reactor reactor(sys, no_errors);
  LinkHub hub(reactor);
  RecordingHost hosts[2];
  LinkSensor first(reactor, hub, hosts[0], loopback(), kRenewalMs), second(reactor, hub, hosts[1], loopback(), kRenewalMs);
  CHECK(first.start().state == SensorState::unknown && second.start().state == SensorState::unknown);
  CHECK(hosts[0].faults[0].active && hosts[1].faults[0].active);
  refuses = false;
  run_until(reactor, [&] { return !hosts[0].reports.empty() && !hosts[1].reports.empty(); });
  for (const RecordingHost& host : hosts) {
    CHECK(host.reports.size() == 1 && host.reports[0].state != SensorState::unknown);
    CHECK(host.reports[0].interface == "lo" && !host.faults.back().active);
  }
}

void a_sensor_reads_the_real_network() {
  Reactor reactor(real_sys(), no_errors);
  LinkHub hub(reactor);
  RecordingHost host;
  LinkSensor sensor(reactor, hub, host, loopback(), kRenewalMs);
  const SensorReport report = sensor.start();
  CHECK(report.interface == "lo" && report.carrier.has_value());
  CHECK(sensor.snapshot().state == report.state && host.reports.empty() && host.faults.empty());
}

}  // namespace

void test_link_hub() {
  lost_messages_make_it_read_anew();
  a_flood_of_nothing_is_not_read_anew();
  a_failed_dump_is_told_and_tried_again();
  a_sensor_without_netlink_says_so_and_is_not_taken_for_absent();
  what_is_refused_at_start_is_tried_again(0);
  what_is_refused_at_start_is_tried_again(1);
  a_sensor_reads_the_real_network();
}

}  // namespace sockmon
