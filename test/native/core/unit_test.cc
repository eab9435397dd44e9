#include "sensors/unit.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "base/error.h"
#include "check.h"
#include "core/fields.h"
#include "process/exit_cause.h"

extern char** environ;

namespace sockmon {
namespace {

namespace fs = std::filesystem;

pid_t spawn(const char* script) {
  pid_t pid = 0;
  char name[] = "sh", flag[] = "-c";
  std::string text(script);
  char* const argv[] = {name, flag, text.data(), nullptr};
  CHECK(::posix_spawn(&pid, "/bin/sh", nullptr, nullptr, argv, environ) == 0);
  return pid;
}

pid_t spawn_sleeper() { return spawn("exec sleep 1000"); }

/// Real processes in a made-up control group, and a systemd that the test speaks for.
struct World {
  FakeSys sys;
  TempDir dir;
  Reactor reactor{sys, no_errors};
  ProcFs proc;
  ProcessFinder finder{sys, proc, [](pid_t) { return false; }};
  const ProcessContext context;
  FolderHub folders{reactor};
  RecordingHost host;
  std::unique_ptr<UnitSensor> sensor;
  std::vector<pid_t> children;

  explicit World(bool exit_info = true) : context{finder, proc, exit_info && has_exit_info(real_sys())} {
    dir.write("cgroup/cgroup.controllers", "");
    fs::create_directories(dir.path() + "/cgroup/system.slice");
    fs::create_directories(dir.path() + "/run/systemd/units");
  }
  ~World() {
    for (const pid_t pid : children) {
      kill(pid, SIGKILL);
      waitpid(pid, nullptr, 0);
    }
  }
  std::string group() const { return dir.path() + "/cgroup/system.slice/x.service"; }
  /// As if systemd had put it there.
  pid_t enter(pid_t pid) {
    children.push_back(pid);
    dir.write("cgroup/system.slice/x.service/cgroup.procs", std::to_string(pid) + "\n");
    return pid;
  }
  void leave() { fs::remove_all(group()); }
  SensorReport start() {
    const UnitPlaces places{dir.path() + "/cgroup", dir.path() + "/run", 0};
    sensor = std::make_unique<UnitSensor>(reactor, host, context, folders, UnitSpec{"x.service", false}, places);
    return sensor->start();
  }
  void advise(std::map<std::string, Fields::Value> values) { sensor->advise(Fields("advice", std::move(values))); }
  void running(pid_t pid, double grace_ms = 0) {
    advise({{"state", std::string("running")}, {"pid", static_cast<double>(pid)}, {"graceMs", grace_ms}, {"stopSignal", 15.0}});
  }
  void until_reports(size_t count) {
    run_until(reactor, [&] { return host.reports.size() >= count; });
  }
  void until_asked(size_t count) {
    run_until(reactor, [&] { return host.questions.size() >= count; });
  }
  /// A unit that lives, and is known to systemd.
  pid_t living(double grace_ms = 0) {
    const pid_t pid = enter(spawn_sleeper());
    CHECK(start().state == SensorState::up);
    running(pid, grace_ms);
    return pid;
  }
  const SensorReport& last() const { return host.reports.back(); }
  size_t deaths() const { return static_cast<size_t>(std::count(host.order.begin(), host.order.end(), "died")); }
};

std::string text(const char* words) { return words; }

void what_is_there_at_start_is_up_and_systemd_is_asked() {
  World world;
  const pid_t pid = world.enter(spawn_sleeper());
  const SensorReport report = world.start();
  CHECK(report.state == SensorState::up && report.pid == pid);
  CHECK(world.host.questions.size() == 1 && !world.host.questions[0]);
  World empty;
  CHECK(empty.start().state == SensorState::absent);
  CHECK(empty.host.questions.size() == 1);
}

void an_abrupt_end_that_nobody_else_mends_sets_off_the_reflex_at_once() {
  World world;
  const pid_t pid = world.living();
  kill(pid, SIGSEGV);
  world.until_reports(1);
  CHECK((world.host.order == std::vector<std::string>{"died", "report"}));
  CHECK(world.last().state == SensorState::down && world.last().reason == &kUnitExit && !world.last().grace_ms);
  CHECK(world.last().cause->kind == ExitCause::Kind::signal && world.last().cause->value == SIGSEGV && world.last().pid == pid);
  CHECK(world.host.questions.back() == pid);
}

/// How systemctl stop ends it, too.
void an_orderly_end_is_borne_until_systemd_has_said_what_it_was() {
  const struct {
    const char* script;
    int signal;
    double stop_signal;
  } ends[] = {{"trap 'exit 0' TERM; while :; do sleep 0.01; done", SIGTERM, 15},
              {"trap 'exit 143' TERM; while :; do sleep 0.01; done", SIGTERM, 15},
              {"exec sleep 1000", SIGTERM, 15},
              {"exec sleep 1000", SIGQUIT, SIGQUIT}};
  for (const auto& end : ends) {
    for (const bool on_purpose : {true, false}) {
      World world;
      const pid_t pid = world.enter(spawn(end.script));
      world.start();
      world.advise({{"state", text("running")}, {"pid", static_cast<double>(pid)}, {"graceMs", 0.0}, {"stopSignal", end.stop_signal}});
      // The shell needs a moment to set its trap.
      for (int i = 0; i < 50 && world.host.reports.empty(); i++) usleep(2000);
      kill(pid, end.signal);
      world.until_reports(1);
      CHECK(world.last().state == SensorState::down && world.last().grace_ms && world.deaths() == 0);
      const double ended_ms = world.last().at_ms;
      if (on_purpose) {
        world.advise({{"state", text("stopped")}, {"words", text("by hand")}});
        CHECK(world.last().state == SensorState::absent && world.last().reason == &kUnitStopped && world.last().detail == "by hand");
        CHECK(world.deaths() == 0);
      } else {
        world.advise({{"state", text("failed")}, {"words", text("it ended")}});
        CHECK(world.last().state == SensorState::down && world.last().reason == &kUnitExit && !world.last().grace_ms);
        CHECK(world.deaths() == 1 && world.last().at_ms == ended_ms);
      }
    }
  }
}

void what_systemd_restarts_is_left_to_it() {
  World world;
  const pid_t first = world.living(60'000);
  kill(first, SIGKILL);
  world.until_reports(1);
  CHECK(world.last().state == SensorState::down && world.last().grace_ms == 60'000 && world.deaths() == 0);
  world.advise({{"state", text("starting")}, {"withinMs", 90'000.0}});
  CHECK(world.last().grace_ms > 90'000 - 1 && world.deaths() == 0);
  const pid_t second = world.enter(spawn_sleeper());
  world.advise({{"state", text("running")}, {"pid", static_cast<double>(second)}, {"graceMs", 60'000.0}, {"byOrder", false}});
  CHECK(world.last().state == SensorState::up && world.last().pid == second && world.last().by_order == false);
  CHECK(world.deaths() == 0);
}

void what_systemd_has_given_up_is_dead_as_of_its_end() {
  World world;
  const pid_t pid = world.living(60'000);
  kill(pid, SIGKILL);
  world.until_reports(1);
  const double ended_ms = world.last().at_ms;
  world.advise({{"state", text("starting")}, {"withinMs", 60'000.0}});
  world.advise({{"state", text("failed")}, {"reason", text("start_limit_hit")}, {"words", text("too often")}});
  CHECK(world.last().state == SensorState::down && !world.last().grace_ms && world.last().reason == &kUnitStartLimit);
  CHECK(world.last().detail == "too often" && world.last().at_ms == ended_ms && world.deaths() == 1);
  // Once.
  const size_t reports = world.host.reports.size();
  world.advise({{"state", text("failed")}, {"reason", text("start_limit_hit")}, {"words", text("too often")}});
  CHECK(world.host.reports.size() == reports && world.deaths() == 1);
}

void a_systemd_that_says_nothing_is_waited_for_as_long_as_its_settings_say() {
  World world;
  const pid_t pid = world.living(100);
  kill(pid, SIGKILL);
  world.until_reports(2);
  CHECK(world.host.reports[0].grace_ms == 100 && world.deaths() == 1);
  CHECK(world.last().state == SensorState::down && !world.last().grace_ms && world.last().at_ms == world.host.reports[0].at_ms);
}

void a_systemd_that_cannot_be_asked_brings_nothing_back() {
  World world;
  const pid_t first = world.enter(spawn_sleeper());
  world.start();
  world.advise({{"state", text("unknown")}, {"fault", text("no answer")}, {"faultCode", text("EIO")}});
  CHECK(world.host.faults.size() == 1 && world.host.faults[0].code == "EIO" && world.host.faults[0].active);
  kill(first, SIGTERM);
  world.until_reports(1);
  CHECK(world.last().state == SensorState::down && !world.last().grace_ms && world.deaths() == 1);
  // The group alone is to go by; cgroup v1 does not tell that somebody has entered it.
  world.leave();
  const pid_t second = world.enter(spawn_sleeper());
  world.until_reports(2);
  CHECK(world.last().state == SensorState::up && world.last().pid == second);
  world.running(second);
  CHECK(!world.host.faults[0].active);
}

void the_main_process_that_systemd_names_is_watched_instead_of_the_oldest() {
  World world;
  const pid_t helper = world.enter(spawn_sleeper());
  CHECK(world.start().pid == helper);
  const pid_t main = spawn_sleeper();
  world.children.push_back(main);
  world.running(main);
  CHECK(world.last().state == SensorState::up && world.last().pid == main);
  kill(helper, SIGKILL);
  kill(main, SIGSEGV);
  world.until_reports(2);
  CHECK(world.last().state == SensorState::down && world.last().pid == main && world.deaths() == 1);
}

void the_end_of_a_helper_of_the_start_is_nobodys_business() {
  World world;
  const pid_t helper = world.enter(spawn_sleeper());
  world.start();
  kill(helper, SIGTERM);
  world.until_asked(2);
  CHECK(world.host.questions.back() == helper && world.host.reports.empty());
  world.advise({{"state", text("starting")}, {"withinMs", 60'000.0}});
  CHECK(world.host.reports.empty());
  const pid_t main = world.enter(spawn_sleeper());
  world.running(main);
  CHECK(world.host.reports.size() == 1 && world.last().state == SensorState::up && !world.last().by_order);
}

void where_systemd_knows_no_main_process_the_last_of_the_group_counts() {
  World world;
  const pid_t first = world.enter(spawn_sleeper());
  const pid_t second = spawn_sleeper();
  world.children.push_back(second);
  world.dir.write("cgroup/system.slice/x.service/cgroup.procs", std::to_string(first) + "\n" + std::to_string(second) + "\n");
  world.start();
  world.running(0);
  kill(first, SIGKILL);
  world.until_reports(1);
  CHECK(world.last().state == SensorState::up && world.last().pid == second && world.deaths() == 0);
  kill(second, SIGKILL);
  world.until_reports(2);
  CHECK(world.last().state == SensorState::down && world.deaths() == 1);
}

void an_answer_that_is_out_of_date_is_not_believed() {
  World world;
  const pid_t pid = world.living();
  // Of before it was started again.
  world.advise({{"state", text("stopped")}, {"words", text("x")}});
  world.advise({{"state", text("failed")}, {"words", text("x")}});
  CHECK(world.host.reports.empty());
  kill(pid, SIGKILL);
  world.until_reports(1);
  const size_t asked = world.host.questions.size();
  world.running(pid);
  CHECK(world.host.reports.size() == 1 && world.host.questions.size() == asked + 1);
}

void its_next_start_is_seen_and_asked_about_also_after_a_stop() {
  World world;
  const pid_t first = world.living();
  kill(first, SIGTERM);
  world.until_reports(1);
  world.advise({{"state", text("stopped")}, {"words", text("x")}});
  world.leave();
  const size_t asked = world.host.questions.size();
  const pid_t second = world.enter(spawn_sleeper());
  world.until_asked(asked + 1);
  CHECK(world.last().state == SensorState::absent);
  world.running(second);
  CHECK(world.last().state == SensorState::up && world.last().pid == second);
}

void a_cause_that_only_systemd_knows_is_told_late() {
  // Reaped: /proc does not tell any more, and the pidfd of an older kernel never has.
  World world(false);
  const pid_t pid = world.enter(spawn_sleeper());
  world.start();
  world.advise({{"state", text("unknown")}});
  kill(pid, SIGKILL);
  CHECK(waitpid(pid, nullptr, 0) == pid);
  world.children.clear();
  world.until_reports(1);
  CHECK(world.last().state == SensorState::down && !world.last().cause->known());
  world.advise({{"state", text("failed")}, {"exitSignal", 9.0}, {"coreDumped", false}});
  CHECK(world.host.causes.size() == 1 && world.host.causes[0].pid == pid && world.host.causes[0].cause.value == SIGKILL);
}

void without_inotify_it_is_looked_for_by_the_clock() {
  World world;
  world.sys.on_inotify_add_watch = [](const char*) { return fail(ENOSPC); };
  CHECK(world.start().state == SensorState::absent);
  CHECK(world.host.faults.size() == 1 && world.host.faults[0].code == "ENOSPC");
  const pid_t pid = world.enter(spawn_sleeper());
  world.until_reports(1);
  CHECK(world.last().state == SensorState::up && world.last().pid == pid);
}

void it_can_be_killed_and_a_dying_one_is_dead_for_a_sibling() {
  World world;
  const pid_t pid = world.living();
  world.sensor->doubt();
  CHECK(world.host.reports.empty());
  CHECK(world.sensor->kill());
  world.until_reports(1);
  CHECK(world.last().cause->value == SIGKILL && world.last().pid == pid && !world.sensor->kill());
  CHECK(world.sensor->snapshot().state == SensorState::down);
}

void advice_that_makes_no_sense_is_refused() {
  World world;
  world.living();
  const auto refused = [&](std::map<std::string, Fields::Value> values) {
    try {
      world.advise(std::move(values));
    } catch (const Error& error) {
      return error.code() == kBadArgument;
    }
    return false;
  };
  CHECK(refused({}) && refused({{"state", text("asleep")}}) && refused({{"state", text("running")}, {"pid", -1.0}}));
  CHECK(refused({{"state", text("running")}, {"pid", 1.5}}) && refused({{"state", text("running")}, {"colour", text("red")}}));
  CHECK(refused({{"state", true}}) && refused({{"state", text("starting")}, {"withinMs", text("soon")}}));
}

}  // namespace

void test_unit() {
  what_is_there_at_start_is_up_and_systemd_is_asked();
  an_abrupt_end_that_nobody_else_mends_sets_off_the_reflex_at_once();
  an_orderly_end_is_borne_until_systemd_has_said_what_it_was();
  what_systemd_restarts_is_left_to_it();
  what_systemd_has_given_up_is_dead_as_of_its_end();
  a_systemd_that_says_nothing_is_waited_for_as_long_as_its_settings_say();
  a_systemd_that_cannot_be_asked_brings_nothing_back();
  the_main_process_that_systemd_names_is_watched_instead_of_the_oldest();
  the_end_of_a_helper_of_the_start_is_nobodys_business();
  where_systemd_knows_no_main_process_the_last_of_the_group_counts();
  an_answer_that_is_out_of_date_is_not_believed();
  its_next_start_is_seen_and_asked_about_also_after_a_stop();
  a_cause_that_only_systemd_knows_is_told_late();
  without_inotify_it_is_looked_for_by_the_clock();
  it_can_be_killed_and_a_dying_one_is_dead_for_a_sibling();
  advice_that_makes_no_sense_is_refused();
}

}  // namespace sockmon
