#include <signal.h>
#include <unistd.h>

#include <sstream>

#include "base/error.h"
#include "check.h"
#include "runs/runs.h"

namespace sockmon {
namespace {

struct World : RunObserver {
  FakeSys sys;
  Reactor reactor{sys, no_errors};
  ProcFs proc;
  std::vector<Event> events;
  Runs runs{reactor, proc, *this, [](const std::string&) { return false; }};

  void run_started(const RunStarted& started) override { events.push_back(started); }
  void run_ended(const RunEnded& ended) override { events.push_back(ended); }

  Run& start(const std::string& script, double timeout_ms = 0, double grace_ms = 0, const std::string& cwd = "/") {
    return start_path("/bin/sh", {"-c", script}, timeout_ms, grace_ms, cwd);
  }
  Run& start_path(const std::string& path, std::vector<std::string> arguments, double timeout_ms = 0,
                  double grace_ms = 0, const std::string& cwd = "/") {
    RunSpec spec;
    spec.id = "run";
    spec.argv = {path};
    spec.argv.insert(spec.argv.end(), arguments.begin(), arguments.end());
    spec.env = {{"PATH", "/usr/bin:/bin"}, {"WORD", "hello"}};
    spec.cwd = cwd;
    spec.timeout_ms = timeout_ms;
    spec.grace_ms = grace_ms;
    Run& run = runs.start(runs.prepare(spec));
    run.follow(false);
    return run;
  }
  RunEnded end() {
    run_until(reactor, [&] { return !events.empty() && std::holds_alternative<RunEnded>(events.back()); });
    return std::get<RunEnded>(events.back());
  }
};

bool alive(pid_t pid) {
  const auto stat = ProcFs().stat(pid);
  return stat && !stat->dead;
}

void output_and_status_are_told() {
  World world;
  world.start("echo $WORD; echo err >&2; pwd; exit 3", 0, 0, "/usr");
  const RunEnded ended = world.end();
  CHECK(ended.exit->kind == ExitCause::Kind::exit && ended.exit->value == 3 && !ended.timed_out);
  CHECK(ended.output == "hello\nerr\n/usr\n" && !ended.output_truncated);
  const auto& started = std::get<RunStarted>(world.events[0]);
  CHECK(started.pid > 0 && !started.reflex && started.at_ms <= ended.at_ms);
}

void a_signal_is_told() {
  World world;
  world.start("kill -SEGV $$");
  const RunEnded ended = world.end();
  CHECK(ended.exit->kind == ExitCause::Kind::signal && ended.exit->value == SIGSEGV);
}

void long_output_is_cut() {
  World world;
  world.start("i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); done; printf 'the end'");
  const RunEnded ended = world.end();
  CHECK(ended.output_truncated && ended.output.size() == 4096);
  CHECK(ended.output.substr(4096 - 7) == "the end");
}

/// What the script says of itself, by proc_pid_status(5).
std::string status_line(const std::string& output, const std::string& key) {
  std::istringstream lines(output);
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind(key, 0) == 0) return line.substr(line.find_last_of("\t ") + 1);
  }
  return "";
}

void the_script_starts_with_a_clean_slate() {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  World world;
  world.start("cat /proc/self/status; echo session $(ps -o sid= -p $$) pid $$; ls -l /proc/$$/fd");
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  const RunEnded ended = world.end();
  CHECK(status_line(ended.output, "SigBlk:") == "0000000000000000");
  // SIGPIPE (13) alone.
  CHECK(status_line(ended.output, "SigIgn:") == "0000000000001000");
  const pid_t pid = std::get<RunStarted>(world.events[0]).pid;
  CHECK(ended.output.find("pid " + std::to_string(pid)) != std::string::npos);
  CHECK(ended.output.find("0 -> /dev/null") != std::string::npos);
  CHECK(ended.output.find("1 -> pipe:") != std::string::npos);
  CHECK(ended.output.find("2 -> pipe:") != std::string::npos);
  CHECK(ended.output.find("3 -> ") == std::string::npos);
}

void what_cannot_be_started_is_told() {
  const TempDir dir;
  const std::pair<std::string, std::string> cases[] = {
      {dir.path() + "/none", "ENOENT"},
      {dir.write("plain", "no program"), "EACCES"},
      {dir.path(), "EACCES"},
  };
  for (const auto& [path, code] : cases) {
    World world;
    world.start_path(path, {});
    const RunEnded ended = world.end();
    CHECK(ended.spawn_error == code && !ended.exit && world.events.size() == 1);
  }
  World world;
  world.start("true", 0, 0, dir.path() + "/none");
  CHECK(world.end().spawn_error == "ENOENT");
  world.sys.on_posix_spawn = [](pid_t*) { return EAGAIN; };
  world.start("true");
  CHECK(world.end().spawn_error == "EAGAIN");
}

void a_pipe_that_cannot_be_made_is_thrown() {
  World world;
  world.sys.on_pipe2 = failing(EMFILE);
  std::string code;
  try {
    world.start("true");
  } catch (const Error& error) {
    code = error.code();
  }
  CHECK(code == "EMFILE");
}

/// The pid that a script wrote into a file; 0 until the line is there.
pid_t pid_in(const std::string& path) {
  const std::string text = read_file(path, 16).value_or("");
  const size_t end = text.find('\n');
  return end == text.npos ? 0 : parse_number<int>(text.substr(0, end)).value_or(0);
}

void a_timeout_is_told() {
  World world;
  world.start("exec sleep 1000", 100, 1000);
  const RunEnded ended = world.end();
  CHECK(ended.timed_out && ended.exit->kind == ExitCause::Kind::signal && ended.exit->value == SIGTERM);
}

void the_whole_session_ends_with_it() {
  World world;
  const TempDir dir;
  const std::string deaf = dir.path() + "/deaf", other = dir.path() + "/other";
  // With set -m bash gives each its own process group; the first one ignores SIGTERM.
  const std::string script = "set -m; (trap '' TERM; echo $BASHPID > " + deaf +
                             "; exec sleep 1000) & sleep 1000 & echo $! > " + other + "; wait";
  world.start_path("/bin/bash", {"-c", script}, 0, 100);
  run_until(world.reactor, [&] { return pid_in(deaf) != 0 && pid_in(other) != 0; });
  const pid_t members[] = {pid_in(deaf), pid_in(other)};
  world.runs.end("run");
  const RunEnded ended = world.end();
  CHECK(!ended.timed_out && ended.exit->value == SIGTERM);
  // The grace time is still to come when the script itself has gone.
  run_until(world.reactor, [&] { return !alive(members[0]) && !alive(members[1]); });
}

void a_deaf_script_is_killed() {
  World world;
  const TempDir dir;
  const std::string ready = dir.path() + "/ready";
  const std::string script = "trap '' TERM; echo $$ > " + ready + "; echo words; while :; do sleep 1000; done";
  const pid_t pid = world.start(script, 0, 50).pid();
  run_until(world.reactor, [&] { return pid_in(ready) == pid; });
  CHECK(world.runs.is_script(pid) && !world.runs.is_script(pid + 1));
  world.runs.end("run");
  const RunEnded ended = world.end();
  CHECK(ended.exit->value == SIGKILL && ended.output == "words\n");
  CHECK(!world.runs.is_script(pid));
}

void a_daemon_that_keeps_the_pipe_does_not_hold_up_the_end() {
  World world;
  const TempDir dir;
  world.start("setsid sleep 1000 & echo $! > " + dir.path() + "/daemon; echo done");
  const RunEnded ended = world.end();
  CHECK(ended.output == "done\n" && !ended.timed_out);
  const pid_t pid = pid_in(dir.path() + "/daemon");
  CHECK(pid != 0 && alive(pid));
  kill(pid, SIGKILL);
}

void ending_a_run_is_no_timeout() {
  World world;
  world.start("exec sleep 1000", 0, 1000);
  world.runs.end("other");
  world.runs.end("run");
  world.runs.end("run");
  const RunEnded ended = world.end();
  CHECK(!ended.timed_out && ended.exit->value == SIGTERM);
  world.runs.end("run");
}

void without_a_pidfd_it_is_polled_for() {
  World world;
  world.sys.on_pidfd_open = [](pid_t) { return fail(EMFILE); };
  world.start("exit 7");
  CHECK(world.end().exit->value == 7);
}

void odd_answers_of_waitid_are_survived() {
  World world;
  world.sys.on_waitid = failing(EINTR, 2);
  world.start("exit 4");
  CHECK(world.end().exit->value == 4);
  // Linux 5.3 has pidfds but no P_PIDFD.
  world.sys.on_waitid = failing(EINVAL, 1);
  world.start("exit 5");
  CHECK(world.end().exit->value == 5);
  // Reaped by somebody else in this process.
  world.sys.on_waitid = [] { return fail(ECHILD); };
  world.start("exit 6");
  CHECK(!world.end().exit->known());
  siginfo_t info;
  CHECK(::waitid(P_ALL, 0, &info, WEXITED) == 0 && info.si_status == 6);
}

void a_script_is_not_started_when_a_path_is_there() {
  World world;
  const TempDir dir;
  RunSpec spec;
  spec.id = "run";
  spec.argv = {"/bin/sh", "-c", "touch " + dir.path() + "/ran"};
  spec.unless_exists = {dir.path() + "/none", dir.path() + "/going-down"};
  // What counts is the moment of the start, not that of the preparation.
  auto prepared = world.runs.prepare(spec);
  const std::string sign = dir.write("going-down", "");
  world.runs.start(std::move(prepared)).follow(false);
  CHECK(world.end().spawn_error == "ECANCELED");
  CHECK(access((dir.path() + "/ran").c_str(), F_OK) != 0);
  unlink(sign.c_str());
  world.events.clear();
  world.runs.start(world.runs.prepare(spec)).follow(false);
  CHECK(world.end().spawn_error.empty());
  CHECK(access((dir.path() + "/ran").c_str(), F_OK) == 0);
  // A path that cannot be looked at is not there.
  world.sys.on_access = [](const char*) { return fail(EACCES); };
  world.runs.start(world.runs.prepare(spec)).follow(false);
  CHECK(world.end().spawn_error.empty());
}

}  // namespace

void test_run() {
  a_script_is_not_started_when_a_path_is_there();
  output_and_status_are_told();
  a_signal_is_told();
  long_output_is_cut();
  the_script_starts_with_a_clean_slate();
  what_cannot_be_started_is_told();
  a_pipe_that_cannot_be_made_is_thrown();
  a_timeout_is_told();
  the_whole_session_ends_with_it();
  a_deaf_script_is_killed();
  a_daemon_that_keeps_the_pipe_does_not_hold_up_the_end();
  ending_a_run_is_no_timeout();
  without_a_pidfd_it_is_polled_for();
  odd_answers_of_waitid_are_survived();
}

}  // namespace sockmon
