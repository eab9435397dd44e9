#include "sensors/process.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "check.h"
#include "process/exit_cause.h"

extern char** environ;

namespace sockmon {
namespace {

pid_t spawn_sleeper() {
  pid_t pid = 0;
  char name[] = "sleep", time[] = "1000";
  char* const argv[] = {name, time, nullptr};
  CHECK(::posix_spawn(&pid, "/bin/sleep", nullptr, nullptr, argv, environ) == 0);
  return pid;
}

void reap(pid_t pid) { CHECK(waitpid(pid, nullptr, 0) == pid); }

struct World {
  FakeSys sys;
  TempDir dir;
  Reactor reactor{sys, no_errors};
  ProcFs proc;
  ProcessFinder finder{sys, proc, [](pid_t) { return false; }};
  ProcessContext context;
  RecordingHost host;
  std::string pidfile = dir.path() + "/x.pid";
  std::unique_ptr<ProcessSensor> sensor;

  explicit World(bool exit_info = true) : context{finder, proc, exit_info} {
    ProcessSpec spec;
    spec.pidfile = pidfile;
    sensor = std::make_unique<ProcessSensor>(reactor, host, context, std::make_shared<const ProcessSpec>(spec));
    // As on a kernel that cannot tell.
    if (!exit_info) sys.on_pidfd_get_info = [](int, PidfdInfo*) { return fail(ENOTTY); };
  }
  void write(pid_t pid) { dir.write("x.pid", std::to_string(pid) + "\n"); }
  void until_reports(size_t count) {
    run_until(reactor, [&] { return host.reports.size() >= count; });
  }
};

void a_zombie_is_dead_and_its_cause_known() {
  for (const bool exit_info : {true, false}) {
    World world(exit_info);
    const pid_t pid = spawn_sleeper();
    world.write(pid);
    CHECK(world.sensor->start().pid == pid);
    kill(pid, SIGKILL);
    world.until_reports(1);
    const SensorReport& down = world.host.reports[0];
    CHECK(down.state == SensorState::down && down.reason == &kProcessExit && down.pid == pid);
    CHECK(down.cause->kind == ExitCause::Kind::signal && down.cause->value == SIGKILL);
    CHECK((world.host.order == std::vector<std::string>{"died", "report"}));
    CHECK(world.sensor->snapshot().state == SensorState::down);
    reap(pid);
  }
}

void a_death_that_a_look_finds_has_its_cause() {
  for (const bool exit_info : {true, false}) {
    World world(exit_info);
    const pid_t pid = spawn_sleeper();
    world.write(pid);
    world.sensor->start();
    kill(pid, SIGKILL);
    siginfo_t info;
    CHECK(waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT) == 0);
    const SensorReport now = world.sensor->snapshot();
    CHECK(now.state == SensorState::down && now.pid == pid);
    CHECK(now.cause->kind == ExitCause::Kind::signal && now.cause->value == SIGKILL);
    reap(pid);
  }
}

void a_cause_that_comes_late_is_told_late() {
  World world;
  // Not in /proc either: the made-up root has nothing but the pid.
  const ProcFs hidden(world.dir.path());
  const ProcessContext context{world.finder, hidden, true};
  ProcessSpec spec;
  spec.pidfile = world.pidfile;
  ProcessSensor sensor(world.reactor, world.host, context, std::make_shared<const ProcessSpec>(spec));
  const pid_t pid = spawn_sleeper();
  world.write(pid);
  sensor.start();
  kill(pid, SIGTERM);
  world.until_reports(1);
  CHECK(!world.host.reports[0].cause->known() && world.host.causes.empty());
  reap(pid);
  if (!has_exit_info(real_sys())) return;
  run_until(world.reactor, [&] { return !world.host.causes.empty(); });
  CHECK(world.host.causes[0].pid == pid && world.host.causes[0].cause.value == SIGTERM);
}

void a_successor_is_found_and_the_dead_one_never() {
  World world;
  CHECK(world.sensor->start().state == SensorState::absent);
  const pid_t first = spawn_sleeper();
  world.write(first);
  world.until_reports(1);
  CHECK(world.host.reports[0].state == SensorState::up && world.host.reports[0].pid == first);
  kill(first, SIGKILL);
  world.until_reports(2);
  // A zombie under the same number.
  CHECK(world.sensor->snapshot().state == SensorState::down);
  reap(first);
  const pid_t second = spawn_sleeper();
  world.write(second);
  world.until_reports(3);
  CHECK(world.host.reports[2].state == SensorState::up && world.host.reports[2].pid == second);
  kill(second, SIGKILL);
  reap(second);
  world.until_reports(4);
}

void a_number_that_came_round_again_needs_a_new_pidfile() {
  // A made-up /proc lets the same number start a second time.
  World world;
  const pid_t pid = spawn_sleeper();
  uint64_t ticks = 1000;
  const auto live = [&] {
    world.dir.write(std::to_string(pid) + "/stat",
                    std::to_string(pid) + " (sleep) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 " + std::to_string(ticks) +
                        " 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 17 1 0 0 0 0 0 0 0 0 0 0 0 0 0");
  };
  live();
  const ProcFs proc(world.dir.path());
  ProcessFinder finder(world.sys, proc, [](pid_t) { return false; });
  const ProcessContext context{finder, proc, true};
  ProcessSpec spec;
  spec.pidfile = world.pidfile;
  ProcessSensor sensor(world.reactor, world.host, context, std::make_shared<const ProcessSpec>(spec));
  world.write(pid);
  CHECK(sensor.start().state == SensorState::up);
  kill(pid, SIGKILL);
  reap(pid);
  world.until_reports(1);
  ticks = 2000;
  live();
  CHECK(sensor.snapshot().state == SensorState::down);
  // Written anew, it may be believed: only pidfd_open knows better here.
  std::string asked;
  world.sys.on_pidfd_open = [&](pid_t wanted) {
    asked = std::to_string(wanted);
    return fail(ESRCH);
  };
  CHECK(sensor.snapshot().state == SensorState::down && asked.empty());
  world.dir.write("new.pid", std::to_string(pid));
  CHECK(rename((world.dir.path() + "/new.pid").c_str(), world.pidfile.c_str()) == 0);
  sensor.snapshot();
  CHECK(asked == std::to_string(pid));
}

void a_dying_process_is_dead_as_soon_as_another_sensor_doubts_it() {
  World world;
  const pid_t pid = spawn_sleeper();
  const auto say = [&](int flags, int status) {
    std::string line = std::to_string(pid) + " (sleep) R 1 1 1 0 -1 " + std::to_string(flags) + " 0 0 0 0 0 0 0 0 20 0 1 0 1000";
    for (int field = 23; field < 52; field++) line += " 0";
    line += " " + std::to_string(status);
    for (const char* file : {"/stat", "/task/1/stat"}) world.dir.write(std::to_string(pid) + file, line);
  };
  say(0, 0);
  const ProcFs proc(world.dir.path());
  ProcessFinder finder(world.sys, proc, [](pid_t) { return false; });
  const ProcessContext context{finder, proc, true};
  ProcessSpec spec;
  spec.pidfile = world.pidfile;
  ProcessSensor sensor(world.reactor, world.host, context, std::make_shared<const ProcessSpec>(spec));
  world.write(pid);
  CHECK(sensor.start().state == SensorState::up);
  sensor.doubt();
  CHECK(world.host.reports.empty());
  say(4, 9);
  sensor.doubt();
  sensor.doubt();
  CHECK(world.host.reports.size() == 1 && world.host.reports[0].state == SensorState::down);
  CHECK(world.host.reports[0].cause->value == SIGKILL);
  kill(pid, SIGKILL);
  reap(pid);
}

void a_number_that_changes_hands_during_the_look_is_not_believed() {
  World world;
  const pid_t pid = spawn_sleeper();
  world.write(pid);
  world.sys.on_pidfd_open = [&](pid_t wanted) {
    // It ends between the look into /proc and pidfd_open: the zombie would still be opened.
    kill(wanted, SIGKILL);
    siginfo_t info;
    CHECK(::waitid(P_PID, static_cast<id_t>(wanted), &info, WEXITED | WNOWAIT) == 0);
    return FakeSys::kReal;
  };
  const SensorReport report = world.sensor->start();
  CHECK(report.state == SensorState::absent && world.host.reports.empty());
  reap(pid);
}

void a_kernel_without_pidfds_is_a_fault() {
  World world;
  const pid_t pid = spawn_sleeper();
  world.write(pid);
  world.sys.on_pidfd_open = [](pid_t) { return fail(ENOSYS); };
  CHECK(world.sensor->start().state == SensorState::absent);
  CHECK(world.host.faults.size() == 1 && world.host.faults[0].code == "ENOSYS");
  CHECK(world.host.faults[0].detail.find("Linux 5.3") != std::string::npos);
  kill(pid, SIGKILL);
  reap(pid);
}

void a_descriptor_may_be_had_later() {
  World world;
  const pid_t pid = spawn_sleeper();
  world.write(pid);
  world.sys.on_pidfd_open = [left = 2](pid_t) mutable { return left-- > 0 ? fail(EMFILE) : FakeSys::kReal; };
  CHECK(world.sensor->start().state == SensorState::absent);
  world.until_reports(1);
  CHECK(world.host.reports[0].state == SensorState::up && world.host.faults[0].code == "EMFILE");
  kill(pid, SIGKILL);
  reap(pid);
}

}  // namespace

/// Thousands that look at the same time take turns; who is alone is quick.
void who_looks_is_counted_and_a_crowd_is_slower() {
  World world;
  size_t lookers = 0;
  world.context.lookers = &lookers;
  const pid_t first = spawn_sleeper();
  world.write(first);
  CHECK(world.sensor->start().pid == first && lookers == 0);
  kill(first, SIGKILL);
  world.until_reports(1);
  CHECK(lookers == 1);
  const pid_t second = spawn_sleeper();
  world.write(second);
  world.until_reports(2);
  CHECK(world.host.reports[1].pid == second && lookers == 0);
  // As if 300 others were looking: 30 ms instead of 5.
  lookers = 300;
  kill(second, SIGKILL);
  world.until_reports(3);
  const pid_t third = spawn_sleeper();
  world.write(third);
  const double before_ms = real_sys().boot_ms();
  world.until_reports(4);
  CHECK(world.host.reports[3].pid == third && real_sys().boot_ms() - before_ms > 15);
  CHECK(lookers == 300);
  kill(third, SIGKILL);
  world.until_reports(5);
  CHECK(lookers == 301);
  world.sensor.reset();
  CHECK(lookers == 300);
  for (const pid_t pid : {first, second, third}) reap(pid);
}

void test_process_sensor() {
  who_looks_is_counted_and_a_crowd_is_slower();
  a_zombie_is_dead_and_its_cause_known();
  a_death_that_a_look_finds_has_its_cause();
  a_cause_that_comes_late_is_told_late();
  a_successor_is_found_and_the_dead_one_never();
  a_number_that_came_round_again_needs_a_new_pidfile();
  a_dying_process_is_dead_as_soon_as_another_sensor_doubts_it();
  a_number_that_changes_hands_during_the_look_is_not_believed();
  a_kernel_without_pidfds_is_a_fault();
  a_descriptor_may_be_had_later();
}

}  // namespace sockmon
