// Who takes the place of a process that has ended, as the sensor of real processes tells it.
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "check.h"
#include "sensors/process.h"

namespace sockmon {
namespace {

/// A shell under another name, which ends with the test, and with status 0 when it is told to.
class Child {
 public:
  explicit Child(const std::string& name) {
    int fds[2];
    CHECK(pipe2(fds, O_CLOEXEC) == 0);
    pid_ = fork();
    CHECK(pid_ >= 0);
    if (pid_ == 0) {
      dup2(fds[0], STDIN_FILENO);
      // What the test prints to is not held open by it.
      dup2(open("/dev/null", O_WRONLY), STDOUT_FILENO);
      execl("/bin/sh", name.c_str(), "-c", "read order && exit 0; exit 1", nullptr);
      _exit(127);
    }
    close(fds[0]);
    order_ = UniqueFd(fds[1]);
    const ProcFs proc;
    for (;; usleep(100)) {
      const auto facts = read_facts(proc, pid_);
      if (facts && !facts->argv.empty() && facts->argv[0] == name) break;
    }
  }
  ~Child() {
    if (pid_ == 0) return;
    kill(SIGKILL);
    reap();
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  pid_t pid() const { return pid_; }
  void end() { CHECK(write(order_.get(), "\n", 1) == 1); }
  void kill(int signal) const { ::kill(pid_, signal); }
  void reap() {
    waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }

 private:
  pid_t pid_ = 0;
  UniqueFd order_;
};

/// So long that nothing is born in the same tick of the clock as something else.
void wait_a_tick() { usleep(30'000); }

struct World {
  FakeSys sys;
  TempDir dir;
  Reactor reactor{sys, no_errors};
  ProcFs proc;
  ProcessFinder finder{sys, proc, [](pid_t) { return false; }};
  FolderHub folders{reactor};
  ProcessContext context{finder, proc, true, nullptr, nullptr, &folders};
  RecordingHost host;
  ProcessSpec spec;
  std::unique_ptr<ProcessSensor> sensor;
  /// Unlike that of anything else on this machine.
  const std::string name = "core" + std::to_string(getpid());

  SensorReport start() {
    sensor = std::make_unique<ProcessSensor>(reactor, host, context, std::make_shared<const ProcessSpec>(spec));
    return sensor->start();
  }
  void write(const std::string& text) { spec.pidfile = dir.write("x.pid", text); }
  void until_reports(size_t count) {
    run_until(reactor, [&] { return host.reports.size() >= count; });
  }
  /// As long as who is named in the pidfile has to prove itself, and some more.
  void until_words_count() {
    const double later_ms = sys.boot_ms() + 1200;
    Timer later(reactor, [] {});
    later.arm(1200);
    run_until(reactor, [&] { return sys.boot_ms() > later_ms; });
  }
  bool has_died() const { return std::find(host.order.begin(), host.order.end(), "died") != host.order.end(); }
};

void a_survivor_does_not_end_the_outage() {
  World world;
  world.spec.name = world.name;
  const Child first(world.name);
  wait_a_tick();
  const Child survivor(world.name);
  CHECK(world.start().pid == first.pid());
  CHECK(world.host.faults.size() == 1 && world.host.faults[0].code == "ENOTUNIQ" && world.host.faults[0].active);
  wait_a_tick();
  first.kill(SIGKILL);
  world.until_reports(1);
  CHECK(world.host.reports[0].state == SensorState::down);
  for (int looks = 0; looks < 3; looks++) CHECK(world.sensor->snapshot().state == SensorState::down);
  const Child successor(world.name);
  world.until_reports(2);
  CHECK(world.host.reports[1].state == SensorState::up && world.host.reports[1].pid == successor.pid());
  CHECK(!world.host.faults[0].active);
}

void what_was_born_during_a_restart_does() {
  // A script that kills without waiting has started the next one before the last one has ended.
  World world;
  world.spec.name = world.name;
  const Child first(world.name);
  wait_a_tick();
  world.context.last_run_ms = [begun_ms = world.sys.boot_ms()] { return begun_ms; };
  CHECK(world.start().pid == first.pid());
  const Child second(world.name);
  wait_a_tick();
  first.kill(SIGKILL);
  world.until_reports(2);
  CHECK(world.host.reports[1].state == SensorState::up && world.host.reports[1].pid == second.pid());
}

void a_successor_in_the_pidfile_is_no_outage() {
  World world;
  Child first(world.name), second(world.name);
  world.write(std::to_string(first.pid()));
  CHECK(world.start().pid == first.pid());
  world.write(std::to_string(second.pid()));
  // However it ends: by SIGKILL as well.
  first.kill(SIGKILL);
  world.until_reports(1);
  const SensorReport& up = world.host.reports[0];
  CHECK(up.state == SensorState::up && up.pid == second.pid() && !world.has_died());
  CHECK(up.replaced->find("pid " + std::to_string(first.pid()) + " has ended, after pid " + std::to_string(second.pid())) == 0);
  CHECK(!world.sensor->snapshot().replaced);
  // Its own death is one.
  second.kill(SIGKILL);
  world.until_reports(2);
  CHECK(world.host.reports[1].state == SensorState::down && world.has_died());
}

void who_is_named_for_a_second_takes_over_while_the_old_one_lives() {
  World world;
  Child first(world.name), second(world.name);
  world.write(std::to_string(first.pid()));
  CHECK(world.start().pid == first.pid());
  const double named_ms = world.sys.boot_ms();
  world.write(std::to_string(second.pid()));
  world.until_reports(1);
  const SensorReport& up = world.host.reports[0];
  CHECK(up.state == SensorState::up && up.pid == second.pid() && !world.has_died() && up.at_ms - named_ms >= 1000);
  CHECK(up.replaced->find("pid " + std::to_string(first.pid()) + " has handed over to pid " + std::to_string(second.pid())) == 0);
  CHECK(!world.sensor->snapshot().replaced);
  second.kill(SIGKILL);
  world.until_reports(2);
  CHECK(world.host.reports[1].state == SensorState::down && world.host.reports[1].pid == second.pid() && world.has_died());
  // Who lived at the moment of death is not back.
  CHECK(world.sensor->snapshot().state == SensorState::down);
}

void the_end_of_who_has_handed_over_is_no_news() {
  World world;
  Child first(world.name), second(world.name);
  world.write(std::to_string(first.pid()));
  world.start();
  world.write(std::to_string(second.pid()));
  world.until_reports(1);
  first.kill(SIGKILL);
  first.reap();
  world.sensor->doubt();
  CHECK(world.sensor->snapshot().pid == second.pid());
  // Of the two ends the later one is told first, and alone.
  second.kill(SIGKILL);
  world.until_reports(2);
  CHECK(world.host.reports[1].pid == second.pid() && world.host.reports.size() == 2);
}

void a_second_instance_that_ends_at_once_does_not_take_over() {
  World world;
  Child first(world.name);
  world.write(std::to_string(first.pid()));
  world.start();
  {
    Child second(world.name);
    // However often it writes.
    for (int writes = 0; writes < 2; writes++) {
      world.write(std::to_string(second.pid()));
      bool is_seen = false;
      Timer later(world.reactor, [&] { is_seen = true; });
      later.arm(100);
      run_until(world.reactor, [&] { return is_seen; });
    }
  }
  world.until_words_count();
  CHECK(world.host.reports.empty());
  first.kill(SIGKILL);
  world.until_reports(1);
  CHECK(world.host.reports[0].state == SensorState::down && world.host.reports[0].pid == first.pid());
}

void a_word_that_is_none_or_does_not_fit_changes_nothing() {
  const auto nothing = [](World&) {};
  const auto empty = [](World& world) { world.write(""); };
  const auto removed = [](World& world) { std::filesystem::remove(world.spec.pidfile); };
  for (const std::function<void(World&)>& change : {std::function<void(World&)>(nothing), {empty}, {removed}}) {
    World world;
    world.spec.name = world.name;
    Child first(world.name), stranger("stranger"), second(world.name);
    world.write(std::to_string(first.pid()));
    world.start();
    world.write(std::to_string(stranger.pid()));
    change(world);
    world.until_words_count();
    CHECK(world.host.reports.empty() && world.sensor->snapshot().pid == first.pid());
    // What is said afterwards is heard all the same, also by a file that is made anew.
    world.write(std::to_string(second.pid()));
    world.until_reports(1);
    CHECK(world.host.reports[0].pid == second.pid() && world.host.reports[0].replaced);
  }
}

void the_pidfile_may_go_back_to_who_still_serves() {
  // The pidfile goes back to who has handed over, which serves or does so no more.
  for (const bool serves : {false, true}) {
    World world;
    // Without SOCK_CLOEXEC: it is handed on.
    UniqueFd socket(::socket(AF_INET, SOCK_STREAM, 0));
    CHECK(listen(socket.get(), 1) == 0);
    if (!serves) CHECK(fcntl(socket.get(), F_SETFD, FD_CLOEXEC) == 0);
    Child first(world.name);
    CHECK(fcntl(socket.get(), F_SETFD, FD_CLOEXEC) == 0);
    Child second(world.name);
    world.write(std::to_string(first.pid()));
    world.start();
    world.write(std::to_string(second.pid()));
    world.until_reports(1);
    second.kill(SIGKILL);
    world.until_reports(2);
    CHECK(world.host.reports[1].state == SensorState::down);
    world.write(std::to_string(first.pid()));
    CHECK(world.sensor->snapshot().state == (serves ? SensorState::up : SensorState::down));
  }
}

void an_upgrade_that_is_taken_back_is_no_outage() {
  // Unless who has handed over serves no more, or the new one has crashed.
  for (const auto& [serves, crashes] : {std::pair(true, false), std::pair(false, false), std::pair(true, true)}) {
    World world;
    UniqueFd socket(::socket(AF_INET, SOCK_STREAM, 0));
    CHECK(listen(socket.get(), 1) == 0);
    if (!serves) CHECK(fcntl(socket.get(), F_SETFD, FD_CLOEXEC) == 0);
    Child first(world.name);
    CHECK(fcntl(socket.get(), F_SETFD, FD_CLOEXEC) == 0);
    Child second(world.name);
    world.write(std::to_string(first.pid()));
    world.start();
    world.write(std::to_string(second.pid()));
    world.until_reports(1);
    if (crashes) second.kill(SIGSEGV);
    else second.end();
    Timer writer(world.reactor, [&] { world.write(std::to_string(first.pid())); });
    writer.arm(40);
    world.until_reports(2);
    const bool is_handed_back = serves && !crashes;
    CHECK(world.has_died() == !is_handed_back);
    CHECK(world.host.reports[1].pid == (is_handed_back ? first.pid() : second.pid()));
    CHECK(world.host.reports[1].replaced.has_value() == is_handed_back);
  }
}

void with_listen_it_must_hold_the_socket() {
  World world;
  UniqueFd socket(::socket(AF_INET, SOCK_STREAM, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  CHECK(bind(socket.get(), reinterpret_cast<sockaddr*>(&address), size) == 0 && listen(socket.get(), 1) == 0);
  CHECK(getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
  world.spec.listen = parse_listen("tcp:127.0.0.1:" + std::to_string(ntohs(address.sin_port)));
  Child first(world.name), second(world.name);
  CHECK(fcntl(socket.get(), F_SETFD, FD_CLOEXEC) == 0);
  Child other(world.name);
  world.write(std::to_string(first.pid()));
  CHECK(world.start().pid == first.pid());
  world.write(std::to_string(other.pid()));
  world.until_words_count();
  CHECK(world.host.reports.empty() && world.sensor->snapshot().pid == first.pid());
  world.write(std::to_string(second.pid()));
  world.until_reports(1);
  CHECK(world.host.reports[0].pid == second.pid() && world.host.reports[0].replaced && !world.has_died());
}

void a_successor_that_is_dying_as_well_is_none() {
  World world;
  Child first(world.name), second(world.name);
  world.write(std::to_string(first.pid()));
  world.start();
  world.write(std::to_string(second.pid()));
  second.kill(SIGKILL);
  siginfo_t info;
  CHECK(waitid(P_PID, static_cast<id_t>(second.pid()), &info, WEXITED | WNOWAIT) == 0);
  first.kill(SIGKILL);
  world.until_reports(1);
  CHECK(world.host.reports[0].state == SensorState::down && world.host.order[0] == "died");
}

void a_pidfile_that_is_being_written_is_waited_for() {
  for (const bool comes : {true, false}) {
    World world;
    Child first(world.name), second(world.name);
    world.write(std::to_string(first.pid()));
    world.start();
    world.write("");
    first.end();
    Timer writer(world.reactor, [&] { world.write(std::to_string(second.pid())); });
    if (comes) writer.arm(40);
    world.until_reports(1);
    CHECK(world.has_died() == !comes);
    CHECK(world.host.reports[0].state == (comes ? SensorState::up : SensorState::down));
    CHECK(world.host.reports[0].pid == (comes ? second.pid() : first.pid()));
  }
  // A crash waits for nobody.
  World world;
  Child first(world.name);
  world.write(std::to_string(first.pid()));
  world.start();
  world.write("");
  first.kill(SIGSEGV);
  const double killed_ms = world.sys.boot_ms();
  world.until_reports(1);
  CHECK(world.host.reports[0].state == SensorState::down && world.host.reports[0].at_ms >= killed_ms);
  CHECK(world.host.order[0] == "died");
}

/// Holds the socket under the name of an activator, and never serves it.
pid_t fork_inetd() {
  const pid_t pid = fork();
  if (pid == 0) {
    prctl(PR_SET_NAME, "inetd");
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) pause();
  }
  const ProcFs proc;
  while (proc.stat(pid)->comm != "inetd") usleep(100);
  return pid;
}

struct Activation {
  World world;
  UniqueFd socket{::socket(AF_INET, SOCK_STREAM, 0)};  // without SOCK_CLOEXEC: it is handed on
  pid_t inetd = 0;
  std::unique_ptr<Child> server;

  Activation() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    CHECK(bind(socket.get(), reinterpret_cast<sockaddr*>(&address), size) == 0 && listen(socket.get(), 1) == 0);
    CHECK(getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
    inetd = fork_inetd();
    server = std::make_unique<Child>(world.name);
    world.spec.listen = parse_listen("tcp:127.0.0.1:" + std::to_string(ntohs(address.sin_port)));
  }
  ~Activation() {
    kill(inetd, SIGKILL);
    waitpid(inetd, nullptr, 0);
  }
};

void an_orderly_end_under_an_activator_is_idle() {
  Activation activation;
  World& world = activation.world;
  CHECK(world.start().pid == activation.server->pid());
  activation.server->end();
  world.until_reports(1);
  const SensorReport& idle = world.host.reports[0];
  CHECK(idle.state == SensorState::up && !idle.pid && !world.has_died());
  CHECK(idle.detail == "idle, socket held by inetd, pid " + std::to_string(activation.inetd));
  // Not the activator's process to kill.
  CHECK(!world.sensor->kill());
  // The end of who holds it is the end.
  kill(activation.inetd, SIGKILL);
  world.until_reports(2);
  CHECK(world.host.reports[1].state == SensorState::down && world.has_died());
}

void a_crash_under_an_activator_is_a_death_that_is_over_at_once() {
  Activation activation;
  World& world = activation.world;
  world.start();
  activation.server->kill(SIGSEGV);
  world.until_reports(2);
  CHECK(world.host.reports[0].state == SensorState::down && world.host.order[0] == "died");
  CHECK(world.host.reports[1].state == SensorState::up && !world.host.reports[1].pid);
}

void a_crash_that_is_known_late_is_told_late() {
  Activation activation;
  World& world = activation.world;
  // Neither the zombie nor the pidfd tells, as under a kernel before 6.15 with a parent that has reaped.
  const ProcFs hidden(world.dir.path());
  const ProcessContext context{world.finder, hidden, true};
  bool is_known = false;
  world.sys.on_pidfd_get_info = [&](int, PidfdInfo* info) {
    if (!is_known) return fail(ESRCH);
    info->mask = kPidfdInfoExit;
    info->exit_code = SIGSEGV;
    return 0;
  };
  ProcessSensor sensor(world.reactor, world.host, context, std::make_shared<const ProcessSpec>(world.spec));
  sensor.start();
  activation.server->kill(SIGSEGV);
  world.until_reports(1);
  CHECK(world.host.reports[0].state == SensorState::up && !world.host.reports[0].pid && !world.has_died());
  is_known = true;
  activation.server->reap();
  world.until_reports(3);
  CHECK(world.host.reports[1].state == SensorState::down && world.has_died());
  CHECK(world.host.reports[1].cause->value == SIGSEGV);
  CHECK(world.host.reports[2].state == SensorState::up);
}

}  // namespace

void test_hand_over() {
  // Forks are known by their addresses, which are all alike without randomisation, as under "setarch -R".
  if ((personality(0xffffffff) & ADDR_NO_RANDOMIZE) != 0) return;
  a_survivor_does_not_end_the_outage();
  what_was_born_during_a_restart_does();
  a_successor_in_the_pidfile_is_no_outage();
  who_is_named_for_a_second_takes_over_while_the_old_one_lives();
  the_end_of_who_has_handed_over_is_no_news();
  a_second_instance_that_ends_at_once_does_not_take_over();
  a_word_that_is_none_or_does_not_fit_changes_nothing();
  the_pidfile_may_go_back_to_who_still_serves();
  an_upgrade_that_is_taken_back_is_no_outage();
  with_listen_it_must_hold_the_socket();
  a_successor_that_is_dying_as_well_is_none();
  a_pidfile_that_is_being_written_is_waited_for();
  an_orderly_end_under_an_activator_is_idle();
  a_crash_under_an_activator_is_a_death_that_is_over_at_once();
  a_crash_that_is_known_late_is_told_late();
}

}  // namespace sockmon
