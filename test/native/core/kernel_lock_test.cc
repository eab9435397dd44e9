// A kernel whose networking is locked up, by a stand-in that holds the seam: what the other thread asks is answered when the test lets go.
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstring>
#include <future>
#include <mutex>
#include <thread>

#include "check.h"
#include "core/monitor.h"
#include "network/link_hub.h"
#include "sensors/kernel_lock.h"
#include "sensors/link.h"
#include "sensors/named_link.h"
#include "sensors/stack.h"

namespace sockmon {
namespace {

constexpr LockLimit kLimit{20, 3};
constexpr double kRenewalMs = 100;

/// Keeps send(2) of a question in the kernel, as mutex_lock() does there: no signal and no patience of the socket ends it.
class HeldSys : public FakeSys {
 public:
  HeldSys() {
    on_send = [this](int fd) -> ssize_t {
      int domain = 0;
      socklen_t size = sizeof domain;
      // The stack's own probe goes on, as traffic does.
      if (::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain != AF_NETLINK) return kReal;
      std::unique_lock lock(mutex_);
      asked_++;
      changed_.wait(lock, [this] { return !is_held_; });
      return kReal;
    };
  }
  void hold(bool is_held) {
    const std::lock_guard lock(mutex_);
    is_held_ = is_held;
    changed_.notify_all();
  }
  int asked() {
    const std::lock_guard lock(mutex_);
    return asked_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool is_held_ = false;
  int asked_ = 0;
};

std::unique_ptr<LinkJudge> loopback() {
  NamedLinkSpec spec;
  spec.interface = "lo";
  spec.address = NamedLinkSpec::Address::ignored;
  return std::make_unique<NamedLinkJudge>(spec);
}

/// In a network namespace of its own, where lo can be taken up, in a child.
void in_a_namespace(const std::function<void()>& action) {
  const pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    if (unshare(CLONE_NEWNET) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) {
      fprintf(stderr, "kernel_lock: skipped, no network namespace can be made here: %s\n", strerror(errno));
      _exit(0);
    }
    CHECK(system("ip link set lo up") == 0);
    action();
    _exit(0);
  }
  int status = 0;
  CHECK(waitpid(child, &status, 0) == child && status == 0);
}

struct World {
  HeldSys sys;
  Reactor reactor{sys, no_errors};
  LinkHub hub{reactor, {}, kLimit};
  RecordingHost host;
  LinkSensor link{reactor, hub, host, loopback(), kRenewalMs};

  explicit World(bool begins = true) {
    if (!begins) return;
    hub.begin();
    run_until(reactor, [this] { return hub.knows(); });
    CHECK(link.start().state == SensorState::up);
  }
  /// A question that is due whatever has been answered of late.
  void ask() { hub.settle(); }
  const SensorReport& last() const { return host.reports.back(); }
  void run_until_reports(size_t count) {
    run_until(reactor, [this, count] { return host.reports.size() >= count; });
  }
};

void it_is_seen_within_its_time_and_its_end_as_well() {
  in_a_namespace([] {
    World world;
    StackSensor stack(world.reactor, world.hub, world.host, {});
    CHECK(stack.start().state == SensorState::up);
    world.sys.hold(true);
    const double since_ms = world.sys.boot_ms();
    world.ask();
    world.run_until_reports(2);
    CHECK(world.sys.boot_ms() >= since_ms + kLimit.whole_ms());
    for (const SensorReport& report : world.host.reports) {
      CHECK(report.state == SensorState::down && report.reason == &kKernelLocked && report.reason->nature == Nature::broken);
      CHECK(!report.grace_ms);
    }
    // No reflex: what it does would hang.
    CHECK(world.host.order == (std::vector<std::string>{"report", "report"}));
    CHECK(world.link.snapshot().reason == &kKernelLocked && stack.snapshot().reason == &kKernelLocked);
    world.sys.hold(false);
    world.run_until_reports(4);
    CHECK(world.host.reports[2].state == SensorState::up && world.host.reports[3].state == SensorState::up);
    CHECK(!world.hub.is_locked() && world.link.snapshot().state == SensorState::up);
    // Once more: it is told anew.
    world.sys.hold(true);
    world.ask();
    world.run_until_reports(6);
    CHECK(world.last().reason == &kKernelLocked);
    world.sys.hold(false);
    world.run_until_reports(8);
  });
}

void what_has_died_otherwise_says_its_own_reason() {
  in_a_namespace([] {
    World world;
    CHECK(system("ip link set lo down") == 0);
    world.run_until_reports(1);
    CHECK(world.last().reason == &kInterfaceDown);
    world.sys.hold(true);
    world.ask();
    run_until(world.reactor, [&] { return world.hub.is_locked(); });
    for (const SensorReport& report : world.host.reports) CHECK(report.reason == &kInterfaceDown);
    world.sys.hold(false);
    run_until(world.reactor, [&] { return !world.hub.is_locked(); });
    CHECK(world.last().reason == &kInterfaceDown);
  });
}

/// Each answer takes almost the whole time, and all of them together a multiple of it.
void a_dump_that_goes_on_is_no_lock() {
  in_a_namespace([] {
    HeldSys sys;
    Reactor reactor(sys, no_errors);
    LinkHub hub(reactor, {}, {30, 8});
    std::atomic<int> answers{0};
    sys.on_recv = [&answers](int) -> ssize_t {
      usleep(60'000);
      answers++;
      return FakeSys::kReal;
    };
    const double since_ms = sys.boot_ms();
    hub.begin();
    run_until(reactor, [&] {
      CHECK(!hub.is_locked());
      return hub.knows();
    });
    CHECK(answers > 8 && sys.boot_ms() > since_ms + 2 * 240);
  });
}

/// Suspended, or stopped: all of the time seems to be over at once.
void a_machine_that_stood_still_finds_no_lock() {
  in_a_namespace([] {
    HeldSys sys;
    Reactor reactor(sys, no_errors);
    LinkHub hub(reactor, {}, {50, 3});
    RecordingHost host;
    LinkSensor link(reactor, hub, host, loopback(), kRenewalMs);
    hub.begin();
    run_until(reactor, [&] { return hub.knows(); });
    link.start();
    sys.hold(true);
    hub.settle();
    // As after a night: all parts have passed when this thread has its first turn.
    usleep(400'000);
    reactor.run_once();
    CHECK(!hub.is_locked() && host.reports.empty());
    sys.hold(false);
    run_until(reactor, [&] { return hub.settle() > 0 && !hub.is_locked(); });
  });
}

/// One that is locked up already as sockmon starts.
void at_the_start_nobody_waits_for_it() {
  in_a_namespace([] {
    World world(false);
    world.sys.hold(true);
    CHECK(world.link.start().state == SensorState::unknown);
    world.run_until_reports(1);
    CHECK(world.last().state == SensorState::down && world.last().reason == &kKernelLocked);
    world.sys.hold(false);
    run_until(world.reactor, [&] { return world.last().state == SensorState::up; });
    CHECK(world.hub.knows());
  });
}

/// Messages were lost while the kernel is locked up: the thread that owes reflexes goes on.
void lost_messages_are_read_anew_by_the_other_thread() {
  in_a_namespace([] {
    World world;
    const pthread_t monitor = pthread_self();
    std::atomic<bool> loses{true};
    world.sys.on_recv = [&, monitor](int) -> ssize_t {
      const bool is_lost = pthread_equal(monitor, pthread_self()) && loses.exchange(false);
      return is_lost ? fail(ENOBUFS) : FakeSys::kReal;
    };
    world.sys.hold(true);
    const double since_ms = world.sys.boot_ms();
    world.hub.on_ready();
    CHECK(world.sys.boot_ms() < since_ms + 15'000);
    world.run_until_reports(1);
    CHECK(world.last().reason == &kKernelLocked && world.hub.counters().reads == 1);
    world.sys.hold(false);
    run_until(world.reactor, [&] { return world.last().state == SensorState::up; });
    CHECK(world.hub.counters().reads == 2 && world.hub.counters().overflows == 1);
    // It hears again.
    CHECK(system("ip link set lo down") == 0);
    run_until(world.reactor, [&] { return world.last().reason == &kInterfaceDown; });
  });
}

void nobody_is_woken_while_nothing_is_asked() {
  in_a_namespace([] {
    World world;
    // The renewal's look at what stands by is over as well.
    int turns = 0;
    bool is_over = false;
    const double until_ms = world.sys.boot_ms() + 500;
    Timer end(world.reactor, [&] { is_over = true; });
    end.arm(500);
    for (; !is_over; turns++) world.reactor.run_once();
    CHECK(turns == 1 && world.sys.boot_ms() >= until_ms - 1);
    // A sign of life is asked for at most so often, and an answer that is fresh is one.
    const int asked = world.sys.asked();
    for (int i = 0; i < 10; i++) world.hub.check_lock();
    CHECK(world.sys.asked() == asked);
  });
}

/// A thread of this process, by its name: a sanitizer may have threads of its own.
bool lives(const std::string& thread) {
  const auto tasks = ProcFs("/proc/self/task").pids();
  return std::any_of(tasks->begin(), tasks->end(), [&](pid_t tid) {
    std::string name;
    std::getline(std::ifstream("/proc/self/task/" + std::to_string(tid) + "/comm"), name);
    return name == thread;
  });
}

/// The thread that is held outlives what it has worked for; whoever closes waits for two seconds at most.
void closing_does_not_hang() {
  in_a_namespace([] {
    // Left to that thread for ever, as the real one is.
    HeldSys& sys = *new HeldSys;
    std::mutex mutex;
    std::condition_variable arrived;
    std::vector<Event> events;
    auto monitor = std::make_unique<Monitor>(sys, ProcFs(), [&](std::vector<Event> batch) {
      const std::lock_guard lock(mutex);
      events.insert(events.end(), batch.begin(), batch.end());
      arrived.notify_all();
    });
    sys.hold(true);
    double since_ms = sys.boot_ms();
    const SensorMaker uplink = uplink_kind().prepare(Fields("uplink", {}));
    // Not known yet; and the next resource does not wait once more.
    CHECK(monitor->watch("a", {uplink})[0].state == SensorState::unknown);
    const double waited_ms = sys.boot_ms() - since_ms;
    CHECK(waited_ms >= 1900 && waited_ms < 15'000);
    since_ms = sys.boot_ms();
    monitor->watch("b", {uplink});
    CHECK(sys.boot_ms() - since_ms < 1500);
    // The thread itself is alive, and says so.
    std::promise<void> pong;
    monitor->ping([&] { pong.set_value(); });
    pong.get_future().wait();
    since_ms = sys.boot_ms();
    CHECK(code_of([&] { monitor->addresses(); }) == "ETIMEDOUT");
    CHECK(sys.boot_ms() - since_ms >= 900);
    since_ms = sys.boot_ms();
    CHECK(code_of([&] { monitor->addresses(); }) == "ETIMEDOUT");
    CHECK(sys.boot_ms() - since_ms < 800);
    CHECK(lives("sockmon-network") && monitor->stop());
    monitor.reset();
    CHECK(lives("sockmon-network"));
    // Let go, it finds nobody and ends.
    sys.hold(false);
    while (lives("sockmon-network")) usleep(1000);
  });
}

void addresses_are_those_of_interfaces_that_run() {
  in_a_namespace([] {
    CHECK(system("ip link add wan0 type veth peer name far0 && ip addr add 192.0.2.2/24 dev wan0 && ip link set far0 up && ip link set wan0 up") == 0);
    Monitor monitor(real_sys(), ProcFs(), [](std::vector<Event>) {});
    const auto has = [&] {
      const auto found = monitor.addresses();
      for (const std::string& each : found) CHECK(each.find("127.0.0.1") == std::string::npos);
      return std::find(found.begin(), found.end(), "wan0 192.0.2.2/24") != found.end();
    };
    while (!has()) usleep(5000);
    CHECK(system("ip link set wan0 down") == 0);
    CHECK(!has());
  });
}

}  // namespace

void test_kernel_lock() {
  it_is_seen_within_its_time_and_its_end_as_well();
  what_has_died_otherwise_says_its_own_reason();
  a_dump_that_goes_on_is_no_lock();
  a_machine_that_stood_still_finds_no_lock();
  at_the_start_nobody_waits_for_it();
  lost_messages_are_read_anew_by_the_other_thread();
  nobody_is_woken_while_nothing_is_asked();
  closing_does_not_hang();
  addresses_are_those_of_interfaces_that_run();
}

}  // namespace sockmon
