#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "runs/run_file.h"
#include "runs/runs.h"

namespace sockmon {
namespace {

struct World : RunObserver {
  FakeSys sys;
  Reactor reactor{sys, no_errors};
  ProcFs proc;
  std::vector<RunStarted> started;
  std::vector<RunEnded> ended;
  Runs runs{reactor, proc, *this, [](const std::string&) { return false; }};

  void run_started(const RunStarted& start) override { started.push_back(start); }
  void run_ended(const RunEnded& end) override { ended.push_back(end); }

  RunEnded end() {
    run_until(reactor, [&] { return !ended.empty(); });
    return ended.back();
  }
};

RunSpec spec_of(const std::string& script) {
  RunSpec spec;
  spec.id = "run";
  spec.argv = {"/bin/sh", "-c", script};
  spec.env = {{"PATH", "/usr/bin:/bin"}};
  return spec;
}

std::string text_of(const std::string& path) { return read_file(path, 4096).value_or(""); }

bool is_there(const std::string& path) { return access(path.c_str(), F_OK) == 0; }

/// The numbers of the second line, as write_run_file() has them.
RunFacts facts_in(const std::string& path) {
  const std::string text = text_of(path);
  RunFacts facts;
  unsigned long long ticks = 0, inode = 0;
  long long ms = 0;
  const char* line = text.c_str() + text.find('\n') + 1;
  CHECK(sscanf(line, "%d %llu %lld %llu\n", &facts.pid, &ticks, &ms, &inode) == 4 && text.back() == '\n');
  facts.start_ticks = ticks;
  facts.started_ms = static_cast<double>(ms);
  facts.output_inode = inode;
  return facts;
}

/// A script whose sockmon has gone: a child of PID 1, or of whoever reaps orphans here, with a run file in `dir`.
AdoptSpec orphan(const TempDir& dir, const std::string& script) {
  const std::string file = dir.path() + "/run-file";
  const pid_t sockmon = fork();
  CHECK(sockmon >= 0);
  if (sockmon == 0) {
    World world;
    RunSpec spec = spec_of(script);
    spec.run_file = file;
    spec.run_file_text = "text";
    world.runs.start(world.runs.prepare(spec)).follow(false);
    raise(SIGKILL);
  }
  int status;
  CHECK(waitpid(sockmon, &status, 0) == sockmon && WIFSIGNALED(status));
  const RunFacts facts = facts_in(file);
  AdoptSpec adopted;
  adopted.id = "run";
  adopted.pid = facts.pid;
  adopted.start_ticks = facts.start_ticks;
  adopted.grace_ms = 100;
  adopted.output_inode = facts.output_inode;
  adopted.run_file = file;
  return adopted;
}

/// Waits for the file `go`.
std::string until_go(const TempDir& dir, const std::string& then) {
  return "while [ ! -e " + dir.path() + "/go ]; do sleep 0.01; done; " + then;
}

bool alive(pid_t pid) {
  const auto stat = ProcFs().stat(pid);
  return stat && !stat->dead;
}

void a_run_leaves_a_file_while_it_runs() {
  World world;
  const TempDir dir;
  RunSpec spec = spec_of(until_go(dir, "exit 0"));
  spec.run_file = dir.path() + "/run-file";
  spec.run_file_text = "{\"json\": 1}";
  auto prepared = world.runs.prepare(spec);
  CHECK(!is_there(spec.run_file));
  const double before_ms = world.sys.boot_ms();
  Run& run = world.runs.start(std::move(prepared));
  // The death is answered first; what the next sockmon reads comes after the start.
  CHECK(!is_there(spec.run_file));
  run.follow(true);
  const RunFacts facts = facts_in(spec.run_file);
  CHECK(text_of(spec.run_file).rfind("{\"json\": 1}\n", 0) == 0);
  CHECK(facts.pid == run.pid() && facts.start_ticks == ProcFs().stat(run.pid())->start_ticks);
  CHECK(facts.started_ms >= before_ms - 1 && facts.started_ms <= world.sys.boot_ms() + 1 && facts.output_inode != 0);
  CHECK(world.started[0].start_ticks == facts.start_ticks && world.started[0].run_file_error.empty());
  struct stat status {};
  CHECK(stat(spec.run_file.c_str(), &status) == 0 && (status.st_mode & 0777) == 0600);
  dir.write("go", "");
  world.end();
  CHECK(!is_there(spec.run_file));
}

void a_file_of_a_script_that_leaves_a_daemon_goes_with_the_script() {
  World world;
  const TempDir dir;
  RunSpec spec = spec_of("setsid sleep 1000 & echo $! > " + dir.path() + "/daemon");
  spec.run_file = dir.path() + "/run-file";
  world.runs.start(world.runs.prepare(spec)).follow(false);
  world.end();
  CHECK(!is_there(spec.run_file));
  const pid_t daemon = atoi(text_of(dir.path() + "/daemon").c_str());
  CHECK(alive(daemon));
  kill(daemon, SIGKILL);
}

void a_file_of_a_monitor_that_ends_stays() {
  const TempDir dir;
  pid_t pid;
  {
    World world;
    RunSpec spec = spec_of("exec sleep 1000");
    spec.run_file = dir.path() + "/run-file";
    Run& run = world.runs.start(world.runs.prepare(spec));
    run.follow(false);
    pid = run.pid();
  }
  CHECK(facts_in(dir.path() + "/run-file").pid == pid && alive(pid));
  kill(pid, SIGKILL);
  CHECK(waitpid(pid, nullptr, 0) == pid);
}

void a_file_that_cannot_be_left_is_told_and_nothing_else() {
  const TempDir dir;
  CHECK(mkfifo((dir.path() + "/fifo").c_str(), 0600) == 0);
  CHECK(symlink((dir.path() + "/target").c_str(), (dir.path() + "/link").c_str()) == 0);
  const std::pair<std::string, std::string> cases[] = {{"/none/run-file", "ENOENT"}, {"/fifo", "ENXIO"}, {"/link", "ELOOP"}};
  for (const auto& [name, code] : cases) {
    World world;
    RunSpec spec = spec_of("exit 3");
    spec.run_file = dir.path() + name;
    world.runs.start(world.runs.prepare(spec)).follow(false);
    CHECK(world.end().exit->value == 3);
    CHECK(world.started[0].run_file_error == code);
  }
  CHECK(!is_there(dir.path() + "/target"));
  // What is not started leaves none.
  World world;
  RunSpec spec = spec_of("");
  spec.argv = {dir.path() + "/none"};
  spec.run_file = dir.path() + "/run-file";
  world.runs.start(world.runs.prepare(spec)).follow(false);
  CHECK(world.end().spawn_error == "ENOENT" && !is_there(spec.run_file));
}

void the_run_of_a_killed_sockmon_is_taken_over() {
  World world;
  const TempDir dir;
  const AdoptSpec spec = orphan(dir, until_go(dir, "echo words; exit 7"));
  CHECK(world.runs.adopt(spec) && world.runs.adopt(spec));
  CHECK(world.runs.is_script(spec.pid) && world.started.empty() && is_there(spec.run_file));
  dir.write("go", "");
  const RunEnded ended = world.end();
  CHECK(ended.id == "run" && !ended.timed_out && ended.spawn_error.empty());
  CHECK(ended.exit->kind == ExitCause::Kind::exit && ended.exit->value == 7);
  // Its pipe is read on: neither is what it writes refused, nor does it block.
  CHECK(ended.output == "words\n");
  CHECK(!is_there(spec.run_file) && !world.runs.is_script(spec.pid) && !world.runs.adopt(spec));
}

void without_the_kernels_help_its_status_is_unknown() {
  World world;
  const TempDir dir;
  // Before Linux 6.15, and without a descriptor to spare.
  world.sys.on_pidfd_get_info = [](int, PidfdInfo*) { return fail(ENOTTY); };
  world.sys.on_pidfd_open = [](pid_t) { return fail(EMFILE); };
  AdoptSpec spec = orphan(dir, until_go(dir, "exit 7"));
  CHECK(world.runs.adopt(spec));
  dir.write("go", "");
  const RunEnded ended = world.end();
  // A zombie may still be met.
  CHECK(!ended.exit->known() || ended.exit->value == 7);
}

void an_adopted_run_is_ended_with_its_session() {
  World world;
  const TempDir dir;
  const std::string deaf = dir.path() + "/deaf";
  const AdoptSpec spec = orphan(dir, "(trap '' TERM; echo ready > " + deaf + "; while :; do sleep 1000; done) & " +
                                         "trap '' TERM; echo $! > " + dir.path() + "/pid; while :; do sleep 1000; done");
  CHECK(world.runs.adopt(spec));
  run_until(world.reactor, [&] { return text_of(deaf) == "ready\n" && text_of(dir.path() + "/pid").size() > 1; });
  const pid_t child = atoi(text_of(dir.path() + "/pid").c_str());
  CHECK(ProcFs().stat(child)->session == spec.pid);
  world.runs.end("run");
  CHECK(world.end().exit->value == SIGKILL);
  run_until(world.reactor, [&] { return !alive(child); });
}

void what_is_not_that_process_is_not_taken_over() {
  World world;
  const TempDir dir;
  AdoptSpec spec = orphan(dir, "exec sleep 1000");
  AdoptSpec other = spec;
  // The number of a process that has ended, given to another one.
  other.start_ticks++;
  CHECK(!world.runs.adopt(other));
  // No script: it leads no session of its own.
  other.pid = getpid();
  other.start_ticks = ProcFs().stat(getpid())->start_ticks;
  if (getsid(0) != getpid()) CHECK(!world.runs.adopt(other));
  CHECK(!world.runs.is_script(spec.pid));
  kill(spec.pid, SIGKILL);
  run_until(world.reactor, [&] { return !alive(spec.pid); });
  CHECK(!world.runs.adopt(spec) && world.ended.empty());
}

void output_that_goes_elsewhere_is_left_alone() {
  World world;
  const TempDir dir;
  const std::string log = dir.path() + "/log";
  // Bash opens a pipe of its own: what is taken from it would be missing in the log.
  dir.write("script", "exec > >(exec cat > " + log + ") 2>&1; : > " + dir.path() + "/moved; " + until_go(dir, "echo mine"));
  const AdoptSpec spec = orphan(dir, "exec bash " + dir.path() + "/script");
  run_until(world.reactor, [&] { return is_there(dir.path() + "/moved"); });
  CHECK(world.runs.adopt(spec));
  dir.write("go", "");
  CHECK(world.end().output.empty());
  run_until(world.reactor, [&] { return text_of(log) == "mine\n"; });
}

}  // namespace

void test_adopt() {
  a_run_leaves_a_file_while_it_runs();
  a_file_of_a_script_that_leaves_a_daemon_goes_with_the_script();
  a_file_of_a_monitor_that_ends_stays();
  a_file_that_cannot_be_left_is_told_and_nothing_else();
  the_run_of_a_killed_sockmon_is_taken_over();
  without_the_kernels_help_its_status_is_unknown();
  an_adopted_run_is_ended_with_its_session();
  what_is_not_that_process_is_not_taken_over();
  output_that_goes_elsewhere_is_left_alone();
}

}  // namespace sockmon
