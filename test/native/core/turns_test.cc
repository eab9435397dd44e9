// No two scripts run for the same resource.
#include <signal.h>
#include <unistd.h>

#include "check.h"
#include "runs/runs.h"

namespace sockmon {
namespace {

struct World : RunObserver {
  FakeSys sys;
  Reactor reactor{sys, no_errors};
  ProcFs proc;
  std::vector<Event> events;
  bool is_alive = false;
  Runs runs{reactor, proc, *this, [this](const std::string&) { return is_alive; }};

  void run_started(const RunStarted& started) override { events.push_back(started); }
  void run_ended(const RunEnded& ended) override { events.push_back(ended); }
  RunEnded last_end() const { return std::get<RunEnded>(events.back()); }
};

RunSpec spec_for(const std::string& resource, const std::string& id, const std::string& script) {
  RunSpec spec;
  spec.id = id;
  spec.argv = {"/bin/sh", "-c", script};
  spec.env = {{"PATH", "/usr/bin:/bin"}, {"SOCKMON_RESOURCE", resource}};
  spec.grace_ms = 100;
  return spec;
}

/// Who was told of, in order: "+a" for a start, "-a" for an end.
std::string order(const std::vector<Event>& events) {
  std::string words;
  for (const Event& event : events) {
    if (const auto* started = std::get_if<RunStarted>(&event)) words += "+" + started->id;
    if (const auto* ended = std::get_if<RunEnded>(&event)) words += "-" + ended->id;
  }
  return words;
}

/// The script that hangs: it has said so, and takes no notice of SIGTERM if it is deaf.
void start_hanging(World& world, const TempDir& dir, bool deaf) {
  const std::string trap = deaf ? "trap '' TERM; " : "";
  const std::string sign = dir.path() + "/hangs";
  world.runs.start(world.runs.prepare(spec_for("dns", "a", trap + "touch " + sign + "; sleep 600"))).follow(false);
  run_until(world.reactor, [&] { return access(sign.c_str(), F_OK) == 0; });
}

void no_two_run_for_one_resource() {
  for (const bool deaf : {false, true}) {
    for (const bool reflex : {false, true}) {
      World world;
      const TempDir dir;
      start_hanging(world, dir, deaf);
      Run& next = world.runs.start(world.runs.prepare(spec_for("dns", "b", "exit 3")));
      CHECK(next.waiting() && !next.running() && next.pid() == 0);
      next.follow(reflex);
      run_until(world.reactor, [&] { return order(world.events) == "+a-a+b-b"; });
      const RunEnded ended = world.last_end();
      CHECK(ended.exit->value == 3 && !ended.not_needed && ended.spawn_error.empty());
      CHECK(std::get<RunStarted>(world.events[2]).reflex == reflex);
      const auto& hung = std::get<RunEnded>(world.events[1]);
      CHECK(hung.exit->value == (deaf ? SIGKILL : SIGTERM) && !hung.timed_out);
    }
  }
}

void scripts_of_others_are_left_alone() {
  World world;
  const TempDir dir;
  start_hanging(world, dir, false);
  for (const std::string resource : {"web", ""}) {
    world.runs.start(world.runs.prepare(spec_for(resource, "b", "exit 0"))).follow(false);
    world.runs.start(world.runs.prepare(spec_for("", "c", "exit 0"))).follow(false);
  }
  run_until(world.reactor, [&] { return world.events.size() == 9; });
  CHECK(order(world.events).find("-a") == std::string::npos);
  world.runs.end("a");
  run_until(world.reactor, [&] { return order(world.events).find("-a") != std::string::npos; });
}

void one_that_waited_is_not_run_over_what_is_alive() {
  enum class By { ladder, reflex, person };
  for (const By by : {By::ladder, By::reflex, By::person}) {
    World world;
    const TempDir dir;
    start_hanging(world, dir, false);
    RunSpec spec = spec_for("dns", "b", "exit 3");
    if (by == By::ladder) spec.unless_alive = "dns";
    world.runs.start(world.runs.prepare(spec)).follow(by == By::reflex);
    world.is_alive = true;
    const std::string expected = by == By::person ? "+a-a+b-b" : "+a-a-b";
    run_until(world.reactor, [&] { return order(world.events) == expected; });
    CHECK(world.last_end().not_needed == (by != By::person));
  }
}

void one_that_waits_can_be_ended_and_replaced() {
  World world;
  const TempDir dir;
  start_hanging(world, dir, true);
  world.runs.start(world.runs.prepare(spec_for("dns", "b", "exit 0"))).follow(true);
  world.runs.end("b");
  CHECK(order(world.events) == "+a-b" && world.last_end().spawn_error == "ECANCELED");
  world.runs.start(world.runs.prepare(spec_for("dns", "c", "exit 0"))).follow(true);
  // The later one takes the place of the one that waits.
  world.runs.start(world.runs.prepare(spec_for("dns", "d", "exit 5"))).follow(false);
  run_until(world.reactor, [&] { return order(world.events) == "+a-b-c-a+d-d"; });
  CHECK(world.last_end().exit->value == 5);
}

void one_that_cannot_be_started_in_its_turn_is_told() {
  World world;
  const TempDir dir;
  start_hanging(world, dir, false);
  RunSpec spec = spec_for("dns", "b", "");
  spec.argv = {dir.path() + "/none"};
  world.runs.start(world.runs.prepare(spec)).follow(true);
  run_until(world.reactor, [&] { return order(world.events) == "+a-a-b"; });
  CHECK(world.last_end().spawn_error == "ENOENT");
}

void one_that_not_even_sigkill_ends_is_not_waited_for() {
  World world;
  const TempDir dir;
  start_hanging(world, dir, false);
  world.sys.on_pidfd_send_signal = [](int) { return 0; };
  world.runs.start(world.runs.prepare(spec_for("dns", "b", "exit 0"))).follow(true);
  run_until(world.reactor, [&] { return order(world.events) == "+a+b-b"; });
  // Nor is the next one held up by it.
  world.runs.start(world.runs.prepare(spec_for("dns", "c", "exit 0"))).follow(true);
  run_until(world.reactor, [&] { return order(world.events) == "+a+b-b+c-c"; });
  const pid_t stuck = std::get<RunStarted>(world.events[0]).pid;
  CHECK(::kill(-stuck, SIGKILL) == 0);
  run_until(world.reactor, [&] { return order(world.events).find("-a") != std::string::npos; });
}

}  // namespace

void test_turns() {
  one_that_not_even_sigkill_ends_is_not_waited_for();
  no_two_run_for_one_resource();
  scripts_of_others_are_left_alone();
  one_that_waited_is_not_run_over_what_is_alive();
  one_that_waits_can_be_ended_and_replaced();
  one_that_cannot_be_started_in_its_turn_is_told();
}

}  // namespace sockmon
