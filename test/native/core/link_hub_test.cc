#include "network/link_hub.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstring>

#include "base/error.h"
#include "check.h"
#include "network/netlink.h"
#include "sensors/link.h"
#include "sensors/named_link.h"
#include "sensors/uplink_judge.h"

namespace sockmon {
namespace {

struct Counter : LinkObserver {
  int states = 0;
  std::vector<std::string> faults;
  void on_network(const NetworkStore&, const NetworkChanges& changes) override { states += changes.everything ? 1 : 0; }
  void on_hub_fault(const std::string& code, const std::string&) override { faults.push_back(code); }
};

constexpr double kRenewalMs = 100;

std::unique_ptr<LinkJudge> named(const char* interface) {
  NamedLinkSpec spec;
  spec.interface = interface;
  return std::make_unique<NamedLinkJudge>(spec);
}

/// As Monitor::watch has it read before it asks a sensor.
void begin(LinkHub& hub, Reactor& reactor) {
  hub.begin();
  run_until(reactor, [&] { return hub.knows(); });
}

struct World {
  FakeSys sys;
  Reactor reactor{sys, no_errors};
  LinkHub hub{reactor};
  Counter counter;

  World() {
    begin(hub, reactor);
    hub.subscribe(&counter);
  }
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
  run_until(world.reactor, [&] { return world.counter.states == 1; });
  CHECK(calls > 3);
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
  run_until(world.reactor, [&] { return !world.counter.faults.empty(); });
  CHECK(world.counter.faults == std::vector<std::string>{"EMFILE"} && world.counter.states == 0);
  run_until(world.reactor, [&] { return world.counter.states == 1; });
}

void a_sensor_without_netlink_says_so_and_is_not_taken_for_absent() {
  FakeSys sys;
  sys.on_socket = [](int domain) { return domain == AF_NETLINK ? fail(EPERM) : FakeSys::kReal; };
  Reactor reactor(sys, no_errors);
  LinkHub hub(reactor);
  RecordingHost host;
  LinkSensor sensor(reactor, hub, host, named("lo"), kRenewalMs);
  const SensorReport report = sensor.start();
  CHECK(report.state == SensorState::unknown && !report.detail.empty());
  run_until(reactor, [&] { return !host.faults.empty(); });
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
  LinkSensor first(reactor, hub, hosts[0], named("lo"), kRenewalMs), second(reactor, hub, hosts[1], named("lo"), kRenewalMs);
  CHECK(first.start().state == SensorState::unknown && second.start().state == SensorState::unknown);
  run_until(reactor, [&] { return !hosts[0].faults.empty() && !hosts[1].faults.empty(); });
  CHECK(hosts[0].faults[0].active && hosts[1].faults[0].active);
  refuses = false;
  run_until(reactor, [&] { return !hosts[0].reports.empty() && !hosts[1].reports.empty(); });
  for (const RecordingHost& host : hosts) {
    CHECK(host.reports.size() == 1 && host.reports[0].state != SensorState::unknown);
    CHECK(host.reports[0].interface == "lo" && !host.faults.back().active);
  }
}

void an_uplink_that_cannot_be_asked_for_is_asked_for_again() {
  World world;
  world.sys.on_socket = [](int domain) { return domain == AF_NETLINK ? fail(EMFILE) : FakeSys::kReal; };
  UplinkSpec spec;
  spec.towards4 = *parse_address("192.0.2.1");
  RecordingHost host;
  LinkSensor sensor(world.reactor, world.hub, host, std::make_unique<UplinkJudge>(spec, world.hub.router()), kRenewalMs);
  CHECK(sensor.start().state == SensorState::unknown);
  CHECK(host.faults.size() == 1 && host.faults[0].code == "EMFILE" && host.faults[0].active);
  world.sys.on_socket = nullptr;
  run_until(world.reactor, [&] { return !host.reports.empty(); });
  CHECK(host.reports[0].state != SensorState::unknown && !host.faults.back().active);
}

/// Of loopback, so that the network of this machine has it.
struct ExpiringRouter final : Router {
  int asked = 0;
  std::optional<Path> find(const RouteQuery&) override {
    if (asked++ > 0) return std::nullopt;
    return Path{1, {}, *parse_address("2001:db8::7"), 10};
  }
};

void a_route_that_expires_in_silence_is_asked_for_then() {
  World world;
  UplinkSpec spec;
  spec.towards6 = *parse_address("2001:db8::1");
  spec.families = UplinkSpec::Families::v6;
  RecordingHost host;
  ExpiringRouter router;
  LinkSensor sensor(world.reactor, world.hub, host, std::make_unique<UplinkJudge>(spec, router), kRenewalMs);
  CHECK(sensor.start().state == SensorState::up);
  run_until(world.reactor, [&] { return !host.reports.empty(); });
  CHECK(host.reports[0].state == SensorState::down && host.reports[0].reason == &kNoDefaultRoute);
}

void a_sensor_reads_the_real_network() {
  Reactor reactor(real_sys(), no_errors);
  LinkHub hub(reactor);
  RecordingHost host;
  LinkSensor sensor(reactor, hub, host, named("lo"), kRenewalMs);
  begin(hub, reactor);
  const SensorReport report = sensor.start();
  CHECK(report.interface == "lo" && report.carrier.has_value());
  CHECK(sensor.snapshot().state == report.state && host.reports.empty() && host.faults.empty());
}

/// Does it in a network namespace of its own, in a child.
void in_a_namespace(const std::function<void()>& action) {
  const pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    if (unshare(CLONE_NEWNET) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) {
      fprintf(stderr, "link_hub: skipped, no network namespace can be made here: %s\n", strerror(errno));
      _exit(0);
    }
    action();
    _exit(0);
  }
  int status = 0;
  CHECK(waitpid(child, &status, 0) == child && status == 0);
}

void ip(const std::string& words) { CHECK(system(("ip " + words).c_str()) == 0); }

/// wan0 with an address and a default route; its other end is far0.
void make_wan() {
  ip("link add wan0 type veth peer name far0");
  for (const char* link : {"lo", "far0", "wan0"}) ip(std::string("link set up ") + link);
  ip("addr add 192.0.2.2/24 dev wan0");
  ip("route add default via 192.0.2.1");
}


void a_link_that_goes_down_is_told_as_gone_when_it_is_being_deleted() {
  for (const bool deleted : {false, true}) {
    in_a_namespace([deleted] {
      make_wan();
      Reactor reactor(real_sys(), no_errors);
      LinkHub hub(reactor);
      RecordingHost host;
      LinkSensor sensor(reactor, hub, host, named("wan0"), kRenewalMs);
      begin(hub, reactor);
      CHECK(sensor.start().state == SensorState::up);
      ip(deleted ? "link del wan0" : "link set wan0 down");
      run_until(reactor, [&] { return !host.reports.empty(); });
      CHECK(host.order == (std::vector<std::string>{"died", "report"}));
      CHECK(host.reports[0].reason == (deleted ? &kInterfaceGone : &kInterfaceDown));
    });
  }
}

/// Answers as it did before, as the kernel does between its message and the deed.
struct LateRouter final : Router {
  Router& kernel;
  std::optional<Path> before;
  bool is_late = false;

  explicit LateRouter(Router& kernel) : kernel(kernel) {}
  std::optional<Path> find(const RouteQuery& query) override {
    if (!std::exchange(is_late, false)) before = kernel.find(query);
    return before;
  }
};

void what_the_kernel_has_told_before_it_was_done_is_asked_for_again() {
  for (const char* loss : {"route del default", "addr del 192.0.2.2/24 dev wan0"}) {
    in_a_namespace([loss] {
      // At rest: no later message has it looked at again.
      CHECK(system("off=/proc/sys/net/ipv6/conf/default/disable_ipv6; [ ! -e $off ] || echo 1 >$off") == 0);
      make_wan();
      CHECK(system("for name in wan0 far0; do until ip link show $name | grep -q 'state UP'; do sleep 0.01; done; done") == 0);
      Reactor reactor(real_sys(), no_errors);
      LinkHub hub(reactor);
      LateRouter router(hub.router());
      UplinkSpec spec;
      spec.towards4 = *parse_address("198.51.100.1");
      RecordingHost host;
      LinkSensor sensor(reactor, hub, host, std::make_unique<UplinkJudge>(spec, router), kRenewalMs);
      begin(hub, reactor);
      CHECK(sensor.start().state == SensorState::up);
      router.is_late = true;
      ip(loss);
      run_until(reactor, [&] { return !host.reports.empty(); });
      CHECK(!router.is_late && host.reports[0].state == SensorState::down && host.reports[0].reason->nature == Nature::unreachable);
    });
  }
}

/// The thread that asks waits for the lock, the sensor does not.
void a_kernel_that_holds_its_lock_keeps_no_report_back() {
  in_a_namespace([] {
    make_wan();
    FakeSys sys;
    std::atomic<bool> is_held{false};
    const pthread_t monitor = pthread_self();
    sys.on_send = [&](int) -> ssize_t {
      while (is_held && !pthread_equal(monitor, pthread_self())) usleep(1000);
      return FakeSys::kReal;
    };
    Reactor reactor(sys, no_errors);
    LinkHub hub(reactor);
    RecordingHost host;
    LinkSensor sensor(reactor, hub, host, named("wan0"), kRenewalMs);
    begin(hub, reactor);
    CHECK(sensor.start().state == SensorState::up);
    is_held = true;
    ip("link set wan0 down");
    const double since_ms = sys.boot_ms();
    run_until(reactor, [&] { return !host.order.empty(); });
    CHECK(host.order == std::vector<std::string>{"died"} && sys.boot_ms() < since_ms + 500);
    run_until(reactor, [&] { return !host.reports.empty(); });
    CHECK(host.reports[0].reason == &kInterfaceDown && sys.boot_ms() >= since_ms + 900);
    // Its answer comes late and is no second report.
    is_held = false;
    ip("link set wan0 up");
    ip("route add default via 192.0.2.1");
    run_until(reactor, [&] { return host.reports.size() > 1; });
    CHECK(host.reports[1].state == SensorState::up && host.reports.size() == 2);
  });
}

/// The rule says that the default route goes with the link; unheard, it has come back before the kernel is asked.
void what_follows_by_a_rule_is_confirmed_and_what_is_refuted_is_put_right() {
  in_a_namespace([] {
    make_wan();
    World world;
    const auto has_route = [&] { return !world.hub.network().default_routes().empty(); };
    CHECK(has_route());
    ip("link set wan0 down");
    // One message, then silence; the questions have sockets that wait.
    int heard = 1;
    world.sys.on_recv = [&](int fd) -> ssize_t {
      if ((fcntl(fd, F_GETFL) & O_NONBLOCK) == 0 || heard-- > 0) return FakeSys::kReal;
      return fail(EAGAIN);
    };
    // The question is put before it is back, and answered after: the thread waits for this turn of the hub.
    ip("link set wan0 up");
    ip("route add default via 192.0.2.1");
    world.hub.on_ready();
    CHECK(!has_route() && world.hub.counters().confirmations == 1);
    run_until(world.reactor, has_route);
    CHECK(world.hub.counters().refuted.routes == 1 && world.hub.counters().refuted.sum() == 1);
    world.sys.on_recv = nullptr;
  });
}

/// A table longer than the head that is read of it, with and without the half in its middle.
void a_long_table_is_read_as_far_as_it_must_be() {
  in_a_namespace([] {
    make_wan();
    const TempDir folder;
    std::string routes;
    for (int i = 0; i < 2000; i++) routes += "route add 10.1." + std::to_string(i / 250) + "." + std::to_string(i % 250) + " dev wan0\n";
    ip("-batch " + folder.write("routes", routes));
    const auto halves = [](const NetworkStore& store) {
      size_t count = 0;
      for (const auto& [key, list] : store.routes()) count += key.family == AF_INET && key.prefix_length == 1 ? list.size() : 0;
      return count;
    };
    size_t received = 0;
    FakeSys sys;
    sys.on_recv = [&](int) -> ssize_t {
      received++;
      return FakeSys::kReal;
    };
    const NetworkStore before = read_network(sys);
    const size_t datagrams = received;
    CHECK(before.default_routes().size() == 1 && halves(before) == 0);
    ip("route add 0.0.0.0/1 dev wan0");
    ip("route add 128.0.0.0/1 dev wan0");
    received = 0;
    const NetworkStore both = read_network(sys);
    CHECK(halves(both) == 2 && received > datagrams + 5);
    // A lone upper half is not looked for, and what is known of it stays.
    ip("route del 0.0.0.0/1");
    NetworkStore read = read_network(sys);
    CHECK(halves(read) == 0);
    read.add_unread(both);
    CHECK(halves(read) == 1);
  });
}

void an_audit_puts_right_what_no_message_has_told() {
  in_a_namespace([] {
    make_wan();
    FakeSys sys;
    Reactor reactor(sys, no_errors);
    AuditCadence cadence;
    cadence.every_ms = 50;
    cadence.recheck_ms = 20;
    LinkHub hub(reactor, cadence);
    Counter counter;
    begin(hub, reactor);
    hub.subscribe(&counter);
    const auto count = [&] { return hub.counters(); };
    // A message, then an audit that finds nothing.
    ip("link set wan0 mtu 1400");
    run_until(reactor, [&] { return count().audits == 1; });
    CHECK(count().corrected.sum() == 0 && counter.states == 0);
    // A route whose message is lost on the way to the store, without ENOBUFS.
    const size_t before = hub.network().default_routes().size();
    bool is_lost = false;
    sys.on_recv = [&](int fd) -> ssize_t {
      if (!is_lost || (fcntl(fd, F_GETFL) & O_NONBLOCK) == 0) return FakeSys::kReal;
      char ignored[8192];
      ssize_t got;
      while ((got = recv(fd, ignored, sizeof ignored, 0)) > 0) {
      }
      return fail(EAGAIN);
    };
    is_lost = true;
    ip("route add default via 192.0.2.1 metric 7");
    hub.refresh();
    is_lost = false;
    CHECK(hub.network().default_routes().size() == before);
    ip("link set wan0 mtu 1300");
    ip("link set wan0 promisc on");
    run_until(reactor, [&] { return count().audits == 2; });
    CHECK(count().corrected.routes == 1 && count().corrected.sum() == 1 && counter.states == 1);
    CHECK(hub.network().default_routes().size() == before + 1);
    hub.unsubscribe(&counter);
  });
}

}  // namespace

void test_link_hub() {
  lost_messages_make_it_read_anew();
  a_flood_of_nothing_is_not_read_anew();
  a_failed_dump_is_told_and_tried_again();
  a_sensor_without_netlink_says_so_and_is_not_taken_for_absent();
  what_is_refused_at_start_is_tried_again(0);
  what_is_refused_at_start_is_tried_again(1);
  an_uplink_that_cannot_be_asked_for_is_asked_for_again();
  a_route_that_expires_in_silence_is_asked_for_then();
  a_sensor_reads_the_real_network();
  a_link_that_goes_down_is_told_as_gone_when_it_is_being_deleted();
  what_the_kernel_has_told_before_it_was_done_is_asked_for_again();
  a_kernel_that_holds_its_lock_keeps_no_report_back();
  what_follows_by_a_rule_is_confirmed_and_what_is_refuted_is_put_right();
  a_long_table_is_read_as_far_as_it_must_be();
  an_audit_puts_right_what_no_message_has_told();
}

}  // namespace sockmon
