#include "core/monitor.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <future>
#include <thread>

#include "base/error.h"
#include "check.h"
#include "sensors/link.h"
#include "sensors/process.h"
#include "sensors/stack.h"

namespace sockmon {
namespace {

/// Breaks epoll when told to, from another thread.
struct BreakableSys : FakeSys {
  std::atomic<bool> broken{false};
  BreakableSys() {
    on_epoll_wait = [this] { return broken ? fail(EBADF) : kReal; };
  }
};

/// Collects on the monitor thread, waits on the test's.
struct World {
  std::mutex mutex;
  std::condition_variable arrived;
  std::vector<Event> events;
  BreakableSys sys;
  Monitor monitor;

  explicit World(Patience patience = {})
      : monitor(sys, ProcFs(), [this](std::vector<Event> batch) {
          const std::lock_guard lock(mutex);
          events.insert(events.end(), batch.begin(), batch.end());
          arrived.notify_all();
        }, patience) {}

  template <typename Kind>
  std::vector<Kind> wait_for(size_t count) {
    std::unique_lock lock(mutex);
    std::vector<Kind> found;
    CHECK(arrived.wait_for(lock, std::chrono::seconds(20), [&] {
      found.clear();
      for (const Event& event : events) {
        if (const auto* kind = std::get_if<Kind>(&event)) found.push_back(*kind);
      }
      return found.size() >= count;
    }));
    return found;
  }
};

RunSpec script(const std::string& id, const std::string& text) {
  RunSpec spec;
  spec.id = id;
  spec.argv = {"/bin/sh", "-c", text};
  spec.env = {{"PATH", "/usr/bin:/bin"}};
  spec.timeout_ms = 10'000;
  spec.grace_ms = 100;
  return spec;
}

SensorMaker by_pidfile(const std::string& path) {
  ProcessSpec spec;
  spec.pidfile = path;
  return watch_process(std::move(spec));
}

pid_t started_pid(World& world, const std::string& id) {
  world.monitor.run(script(id, "exec sleep 1000"));
  for (const RunStarted& started : world.wait_for<RunStarted>(1)) {
    if (started.id != id) continue;
    // Until it has executed its program the shell, or nobody, is found under this pid.
    while (ProcFs().command_line(started.pid) != std::vector<std::string>{"sleep", "1000"}) usleep(1000);
    return started.pid;
  }
  CHECK(false);
  return 0;
}

void commands_are_refused_with_a_code() {
  World world;
  world.monitor.watch("a", {watch_stack({})});
  CHECK(code_of([&] { world.monitor.watch("a", {watch_stack({})}); }) == "EEXIST");
  CHECK(code_of([&] { world.monitor.snapshot("b"); }) == "ENOENT");
  CHECK(code_of([&] { world.monitor.arm_reflex("b", script("x", "true")); }) == "ENOENT");
  world.monitor.disarm_reflex("b");
  world.monitor.unwatch("b");
  world.monitor.unwatch("a");
  world.monitor.watch("a", {watch_stack({})});
  world.monitor.stop();
  world.monitor.stop();
  CHECK(code_of([&] { world.monitor.snapshot("a"); }) == "ESHUTDOWN");
}

void the_reflex_is_one_shot_and_told_after_the_death() {
  World world;
  const TempDir dir;
  const pid_t pid = started_pid(world, "victim");
  const std::string file = dir.write("x.pid", std::to_string(pid));
  CHECK(world.monitor.watch("r", {by_pidfile(file), watch_stack({})})[0].state == SensorState::up);
  world.monitor.arm_reflex("r", script("reflex", "echo fired"));
  kill(pid, SIGKILL);
  const auto report = world.wait_for<SensorReport>(1)[0];
  CHECK(report.resource == "r" && report.sensor == 0 && report.reflex == "reflex");
  const auto ends = world.wait_for<RunEnded>(2);
  CHECK(ends[0].id == "victim" || ends[1].id == "victim");
  const auto starts = world.wait_for<RunStarted>(2);
  CHECK(starts[1].id == "reflex" && starts[1].reflex);
  // A successor dies without a reflex.
  world.monitor.run(script("second", "exec sleep 1000"));
  const pid_t next = world.wait_for<RunStarted>(3)[2].pid;
  dir.write("x.pid", std::to_string(next));
  CHECK(world.wait_for<SensorReport>(2)[1].state == SensorState::up);
  kill(next, SIGKILL);
  CHECK(!world.wait_for<SensorReport>(3)[2].reflex);
}

size_t deaths(const std::vector<Event>& events) {
  return std::count_if(events.begin(), events.end(), [](const Event& event) {
    const auto* report = std::get_if<SensorReport>(&event);
    return report != nullptr && report->state == SensorState::down;
  });
}

void what_a_reflex_starts_has_a_head_start() {
  const TempDir dir;
  Patience patience;
  patience.head_start = std::chrono::hours(1);
  {
    World world(patience);
    const pid_t pid = started_pid(world, "victim");
    world.monitor.watch("r", {by_pidfile(dir.write("x.pid", std::to_string(pid)))});
    world.monitor.arm_reflex("r", script("reflex", "echo >" + dir.path() + "/fired"));
    kill(pid, SIGKILL);
    while (access((dir.path() + "/fired").c_str(), F_OK) != 0) usleep(1000);
    {
      const std::lock_guard lock(world.mutex);
      CHECK(deaths(world.events) == 0);
    }
    // An answer does not overtake what was seen before it.
    CHECK(world.monitor.snapshot("r")[0].state == SensorState::down);
    CHECK(world.wait_for<SensorReport>(1)[0].reflex == "reflex");
  }
  World world(patience);
  const pid_t pid = started_pid(world, "victim");
  const std::string file = dir.write("y.pid", std::to_string(pid));
  world.monitor.watch("r", {by_pidfile(file)});
  world.monitor.arm_reflex("r", script("reflex", "echo $$ >" + file + "; exec sleep 1000"));
  kill(pid, SIGKILL);
  const auto reports = world.wait_for<SensorReport>(2);
  CHECK(reports[0].state == SensorState::down && reports[1].state == SensorState::up);
  kill(*reports[1].pid, SIGKILL);
}

void a_script_is_not_run_over_what_is_alive() {
  World world;
  const TempDir dir;
  const pid_t pid = started_pid(world, "victim");
  const std::string file = dir.write("x.pid", std::to_string(pid));
  world.monitor.watch("r", {by_pidfile(file), watch_stack({})});
  RunSpec spec = script("run", "exec sleep 1000");
  spec.unless_alive = "r";
  CHECK(!world.monitor.run(spec));
  kill(pid, SIGKILL);
  CHECK(world.wait_for<SensorReport>(1)[0].state == SensorState::down);
  CHECK(world.monitor.run(spec));
  const auto starts = world.wait_for<RunStarted>(2);
  CHECK(starts[1].id == "run" && !starts[1].reflex);
  // What is not watched is not known to live.
  spec.id = "next";
  spec.unless_alive = "other";
  CHECK(world.monitor.run(spec));
  for (const RunStarted& started : world.wait_for<RunStarted>(3)) kill(started.pid, SIGKILL);
  world.wait_for<RunEnded>(3);
}

void a_disarmed_reflex_stays_quiet() {
  World world;
  const TempDir dir;
  const pid_t pid = started_pid(world, "victim");
  world.monitor.watch("r", {by_pidfile(dir.write("x.pid", std::to_string(pid)))});
  world.monitor.arm_reflex("r", script("reflex", "true"));
  world.monitor.disarm_reflex("r");
  kill(pid, SIGKILL);
  CHECK(!world.wait_for<SensorReport>(1)[0].reflex);
}

std::optional<std::string> reflex_of_an_exit(Natures natures) {
  World world;
  const TempDir dir;
  const pid_t pid = started_pid(world, "victim");
  world.monitor.watch("r", {by_pidfile(dir.write("x.pid", std::to_string(pid)))});
  world.monitor.arm_reflex("r", script("reflex", "true"), natures);
  kill(pid, SIGKILL);
  return world.wait_for<SensorReport>(1)[0].reflex;
}

void a_reflex_acts_only_at_the_losses_that_it_is_armed_for() {
  Natures natures;
  natures.add(Nature::broken);
  CHECK(!reflex_of_an_exit(natures));
  natures.add(Nature::exited);
  CHECK(reflex_of_an_exit(natures) == "reflex");
}

void a_reflex_that_cannot_start_is_told() {
  World world;
  const TempDir dir;
  const pid_t pid = started_pid(world, "victim");
  world.monitor.watch("r", {by_pidfile(dir.write("x.pid", std::to_string(pid)))});
  RunSpec bad = script("reflex", "true");
  bad.argv = {dir.path() + "/none"};
  world.monitor.arm_reflex("r", bad);
  kill(pid, SIGKILL);
  CHECK(world.wait_for<SensorReport>(1)[0].reflex == "reflex");
  for (const RunEnded& ended : world.wait_for<RunEnded>(2)) CHECK(ended.id == "victim" || ended.spawn_error == "ENOENT");
}

void a_watch_too_many_is_refused() {
  World world;
  rlimit before{};
  getrlimit(RLIMIT_NOFILE, &before);
  rlimit tight = before;
  tight.rlim_cur = 70;
  setrlimit(RLIMIT_NOFILE, &tight);
  CHECK(code_of([&] { world.monitor.watch("a", {watch_stack({})}); }) == "EMFILE");
  setrlimit(RLIMIT_NOFILE, &before);
  world.monitor.watch("a", {watch_stack({})});
}

void a_broken_epoll_ends_it_with_a_fault() {
  World world;
  world.sys.broken = true;
  // Whichever comes first: the wake-up of the command, or the end of the thread.
  const std::string code = code_of([&] { world.monitor.snapshot("a"); });
  CHECK(code == "ESHUTDOWN" || code == "ENOENT");
  CHECK(world.wait_for<Fault>(1)[0].code == "ESHUTDOWN");
  CHECK(code_of([&] { world.monitor.snapshot("a"); }) == "ESHUTDOWN");
}

void the_thread_hears_no_signals_and_leaves_nothing_behind() {
  const auto count = [] { return ProcFs("/proc/self/task").pids()->size(); };
  // pthread_join(3) comes back a moment before the kernel takes the thread off the list.
  const auto becomes = [&](size_t wanted) {
    for (int i = 0; i < 20'000 && count() != wanted; i++) usleep(1000);
    return count() == wanted;
  };
  size_t threads = 0;
  while (count() != threads) {
    threads = count();
    usleep(5000);
  }
  for (int i = 0; i < 20; i++) {
    World world;
    world.monitor.watch("a", {watch_stack({}), uplink_kind().prepare(Fields("uplink", {}))});
    // Its own, and the one that asks the kernel about the network.
    CHECK(becomes(threads + 2));
  }
  CHECK(becomes(threads));
}

void the_watched_process_is_killed_by_its_pidfd() {
  World world;
  const TempDir dir;
  CHECK(code_of([&] { world.monitor.kill("r"); }) == "ENOENT");
  const std::string file = dir.path() + "/x.pid";
  world.monitor.watch("r", {watch_stack({}), by_pidfile(file)});
  CHECK(!world.monitor.kill("r"));
  const pid_t pid = started_pid(world, "victim");
  dir.write("x.pid", std::to_string(pid));
  CHECK(world.wait_for<SensorReport>(1)[0].state == SensorState::up);
  CHECK(world.monitor.kill("r"));
  const auto report = world.wait_for<SensorReport>(2)[1];
  CHECK(report.state == SensorState::down && report.pid == pid);
  CHECK(world.wait_for<RunEnded>(1)[0].exit->value == SIGKILL);
}

void a_ping_is_answered_by_the_thread() {
  World world;
  std::promise<std::thread::id> answer;
  world.monitor.ping([&] { answer.set_value(std::this_thread::get_id()); });
  CHECK(answer.get_future().get() != std::this_thread::get_id());
  world.monitor.stop();
  CHECK(code_of([&] { world.monitor.ping([] {}); }) == "ESHUTDOWN");
}

void a_thread_that_hangs_holds_up_nobody() {
  std::promise<void> release;
  std::shared_future<void> released = release.get_future().share();
  std::atomic<bool> hangs{false};
  std::atomic<int> answers{0};
  World world({std::chrono::milliseconds(50), std::chrono::milliseconds(50)});
  // Called back in the loop, it stands for whatever may block there.
  world.monitor.ping([&hangs, released] {
    hangs = true;
    released.wait();
  });
  while (!hangs) std::this_thread::yield();
  world.monitor.ping([&answers] { answers++; });
  CHECK(code_of([&] { world.monitor.watch("late", {watch_stack({})}); }) == "ETIMEDOUT");
  CHECK(answers == 0);
  CHECK(!world.monitor.stop());
  release.set_value();
  while (!world.monitor.stop()) std::this_thread::yield();
  // What was given up is not done later, and after a stop nothing is delivered.
  CHECK(answers == 0 && world.events.empty());
}

}  // namespace

void test_monitor() {
  the_watched_process_is_killed_by_its_pidfd();
  a_ping_is_answered_by_the_thread();
  a_thread_that_hangs_holds_up_nobody();
  commands_are_refused_with_a_code();
  the_reflex_is_one_shot_and_told_after_the_death();
  what_a_reflex_starts_has_a_head_start();
  a_script_is_not_run_over_what_is_alive();
  a_disarmed_reflex_stays_quiet();
  a_reflex_acts_only_at_the_losses_that_it_is_armed_for();
  a_reflex_that_cannot_start_is_told();
  a_watch_too_many_is_refused();
  a_broken_epoll_ends_it_with_a_fault();
  the_thread_hears_no_signals_and_leaves_nothing_behind();
}

}  // namespace sockmon
