#include "process/census.h"

#include <linux/capability.h>
#include <linux/cn_proc.h>
#include <linux/connector.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <filesystem>
#include <thread>

#include "base/folder_hub.h"
#include "base/unique_fd.h"
#include "check.h"
#include "process/exec_events.h"
#include "sensors/process.h"

extern char** environ;

namespace sockmon {
namespace {

/// Never looks by itself within a test.
constexpr CensusCadence kOnlyIfAsked{3'600'000, 60'000, 3'600'000, 3'600'000, false};
constexpr CensusCadence kQuick{20, 60'000, 20, 5, false};

const std::string kLongTime(200, '9');

/// A process of a name that nobody else bears, ended with the test.
class Sleeper {
 public:
  /// Who is to succeed another needs a longer time: where addresses are not random, as under "setarch -R", only the size of the command line
  /// tells it from a fork of that one.
  explicit Sleeper(std::string name, std::string time = "1000") {
    char* const argv[] = {name.data(), time.data(), nullptr};
    CHECK(::posix_spawn(&pid_, "/bin/sleep", nullptr, nullptr, argv, environ) == 0);
  }
  ~Sleeper() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = 0;
};

struct World {
  TempDir dir;
  FakeSys sys;
  Reactor reactor{sys, no_errors};
  ProcFs proc;
  Census census;
  const std::string name = "census" + std::to_string(getpid());

  explicit World(CensusCadence cadence = kQuick) : census(reactor, real_sys(), proc, cadence) {}
  World(CensusCadence cadence, const std::string& root) : proc(root), census(reactor, real_sys(), proc, cadence) {}

  ProcessSpec named(const std::string& suffix = "") const {
    ProcessSpec spec;
    spec.name = name + suffix;
    return spec;
  }
  /// Until a look that begins now is over and told.
  void look_once() {
    bool is_over = false;
    ProcessSpec nobody;
    nobody.name = "nobody-bears-this-name";
    Census::Search search(census, nobody, [&](const Roll&) { is_over = true; });
    search.look();
    run_until(reactor, [&] { return is_over; });
  }
};

void who_comes_is_told_and_who_does_not_wakes_nobody() {
  World world;
  std::vector<pid_t> found;
  int others = 0;
  Census::Search search(world.census, world.named(), [&](const Roll& roll) { found = roll.matching(world.named()); });
  Census::Search other(world.census, world.named("x"), [&](const Roll&) { others++; });
  world.look_once();
  CHECK(found.empty() && others == 0);
  const Sleeper sleeper(world.name);
  run_until(world.reactor, [&] { return !found.empty(); });
  CHECK(found == std::vector<pid_t>{sleeper.pid()} && others == 0);
}

void who_asks_is_told_also_that_there_is_nothing() {
  World world(kOnlyIfAsked);
  std::vector<const Roll*> rolls;
  const auto keep = [&](const Roll& roll) {
    CHECK(roll.matching(world.named()).empty());
    rolls.push_back(&roll);
  };
  Census::Search first(world.census, world.named(), keep), second(world.census, world.named(), keep);
  first.look();
  second.look();
  run_until(world.reactor, [&] { return rolls.size() >= 2; });
  world.look_once();
  CHECK(rolls.size() == 2);
}

void a_pidfile_counts_when_its_process_lives() {
  World world;
  const std::string path = world.dir.write("x.pid", "4194304\n");
  ProcessSpec spec;
  spec.pidfile = path;
  int told = 0;
  Census::Search search(world.census, spec, [&](const Roll&) { told++; });
  world.look_once();
  CHECK(told == 0);
  world.dir.write("x.pid", std::to_string(getpid()));
  run_until(world.reactor, [&] { return told > 0; });
}

void a_socket_counts_when_somebody_listens() {
  World world;
  int port[2], order[2];
  CHECK(pipe(port) == 0 && pipe(order) == 0);
  const pid_t child = fork();
  if (child == 0) {
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (bind(fd, reinterpret_cast<sockaddr*>(&address), size) != 0) _exit(1);
    getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
    char go = 0;
    [[maybe_unused]] ssize_t done = write(port[1], &address.sin_port, sizeof address.sin_port);
    done = read(order[0], &go, 1);
    listen(fd, 1);
    for (;;) pause();
  }
  in_port_t number = 0;
  CHECK(read(port[0], &number, sizeof number) == sizeof number);
  ProcessSpec spec;
  spec.listen = parse_listen("tcp:127.0.0.1:" + std::to_string(ntohs(number)));
  int told = 0;
  Census::Search search(world.census, spec, [&](const Roll& roll) {
    CHECK(roll.has().sockets && !roll.has().words);
    told++;
  });
  world.look_once();
  CHECK(told == 0);
  CHECK(write(order[1], "y", 1) == 1);
  run_until(world.reactor, [&] { return told > 0; });
  kill(child, SIGKILL);
  CHECK(waitpid(child, nullptr, 0) == child);
  for (const int fd : {port[0], port[1], order[0], order[1]}) close(fd);
}

void it_gets_slower_until_something_is_started() {
  World world(CensusCadence{5, 50, 3'600'000, 5, false});
  int told = 0;
  Census::Search search(world.census, world.named(), [&](const Roll&) { told++; });
  const double calm_ms = world.sys.boot_ms() + 100;
  run_until(world.reactor, [&] { return world.sys.boot_ms() > calm_ms; });
  const Sleeper sleeper(world.name);
  const double later_ms = world.sys.boot_ms() + 100;
  run_until(world.reactor, [&] { return world.sys.boot_ms() > later_ms; });
  CHECK(told == 0);
  world.census.encourage();
  run_until(world.reactor, [&] { return told > 0; });
}

void a_search_may_end_itself_and_others_while_it_is_told() {
  World world(kOnlyIfAsked);
  const Sleeper sleeper(world.name);
  std::unique_ptr<Census::Search> first, second;
  int told = 0;
  const auto end_both = [&](const Roll&) {
    first.reset();
    second.reset();
    told++;
  };
  first = std::make_unique<Census::Search>(world.census, world.named(), end_both);
  second = std::make_unique<Census::Search>(world.census, world.named(), end_both);
  world.look_once();
  CHECK(told == 1);
}

void what_hides_the_processes_is_told_to_all_and_its_end_too() {
  TempDir dir;
  World world(kOnlyIfAsked, dir.path() + "/proc");
  std::vector<int> errors;
  Census::Search search(world.census, world.named(), [&](const Roll& roll) { errors.push_back(roll.error()); });
  world.look_once();
  CHECK(errors == std::vector<int>{ENOENT});
  dir.write("proc/1/comm", "init\n");
  world.look_once();
  CHECK((errors == std::vector<int>{ENOENT, 0}));
  world.look_once();
  CHECK(errors.size() == 2);
}

void another_thread_gets_a_fresh_roll_that_serves_more_than_one() {
  World world(kOnlyIfAsked);
  RollNeeds words, both;
  words.words = both.words = both.sockets = true;
  std::shared_ptr<const Roll> first, second;
  std::thread asker([&] {
    const Sleeper sleeper(world.name);
    first = world.census.fresh(both);
    CHECK(first->matching(world.named()) == std::vector<pid_t>{sleeper.pid()} && first->has().sockets);
    // A thousand questions one after the other take only a few looks.
    int looks = 0;
    std::shared_ptr<const Roll> before;
    for (int i = 0; i < 1000; i++) {
      second = world.census.fresh(words);
      looks += second == before ? 0 : 1;
      before = second;
    }
    CHECK(looks < 900);
  });
  asker.join();
  CHECK(world.census.lent() == nullptr);
  {
    const Census::Loan loan(world.census, second);
    CHECK(world.census.lent() == second.get());
  }
  CHECK(world.census.lent() == nullptr);
}

/// Root in the first namespaces is told; in a container there is nothing to test.
bool must_be_told() {
  const auto link = [](const std::string& path) {
    char target[64] = "";
    [[maybe_unused]] const ssize_t size = readlink(path.c_str(), target, sizeof target - 1);
    return std::string(target);
  };
  const auto status = read_file("/proc/self/status", 4096).value_or("");
  const size_t at = status.find("CapEff:");
  const bool may = at != status.npos && (strtoull(status.c_str() + at + 7, nullptr, 16) >> CAP_NET_ADMIN & 1) != 0;
  // include/linux/proc_ns.h
  return may && link("/proc/self/ns/pid") == "pid:[4026531836]" && link("/proc/self/ns/user") == "user:[4026531837]" &&
         link("/proc/self/ns/net") == link("/proc/1/ns/net");
}

/// The cadence never comes into it.
void the_kernel_tells_who_executes_a_program_or_takes_a_name() {
  if (!must_be_told()) return;
  World world(CensusCadence{3'600'000, 60'000, 3'600'000, 5, true});
  // It listened before, and has stopped since.
  { Census::Search before(world.census, world.named(), [](const Roll&) {}); }
  world.look_once();
  world.look_once();
  std::vector<pid_t> found;
  ProcessSpec by_command;
  by_command.command = "sleep 1000000" + std::to_string(getpid());
  int told = 0, others = 0;
  Census::Search first(world.census, world.named(), [&](const Roll& roll) { found = roll.matching(world.named()); });
  Census::Search second(world.census, by_command, [&](const Roll&) { told++; });
  Census::Search other(world.census, world.named("x"), [&](const Roll&) { others++; });
  world.look_once();
  CHECK(found.empty() && told == 0);
  const Sleeper sleeper(world.name);
  run_until(world.reactor, [&] { return !found.empty(); });
  CHECK(found == std::vector<pid_t>{sleeper.pid()} && told == 0);
  const Sleeper by_words("sleep", "1000000" + std::to_string(getpid()));
  run_until(world.reactor, [&] { return told > 0; });
  CHECK(others == 0);
  // A process that renames itself.
  int order[2];
  CHECK(pipe(order) == 0);
  const std::string wanted = world.named("x").name.substr(0, 15);
  const pid_t child = fork();
  if (child == 0) {
    char go = 0;
    [[maybe_unused]] const ssize_t done = read(order[0], &go, 1);
    prctl(PR_SET_NAME, wanted.c_str());
    for (;;) pause();
  }
  CHECK(write(order[1], "y", 1) == 1);
  run_until(world.reactor, [&] { return others > 0; });
  kill(child, SIGKILL);
  CHECK(waitpid(child, nullptr, 0) == child);
  for (const int fd : order) close(fd);
}

void events_are_read_with_care() {
  struct {
    nlmsghdr header;
    char rest[sizeof(cn_msg) + sizeof(proc_event)];
  } message{};
  cn_msg head{};
  head.id = {CN_IDX_PROC, CN_VAL_PROC};
  head.ack = 8;
  proc_event event{};
  const auto read = [&](uint32_t what, int pid, int group, size_t size) {
    memcpy(&event, &what, sizeof what);
    event.event_data.exec.process_pid = pid;
    event.event_data.exec.process_tgid = group;
    memcpy(message.rest, &head, sizeof head);
    memcpy(message.rest + sizeof head, &event, sizeof event);
    return read_exec_event(&message, size);
  };
  const size_t whole = sizeof message;
  CHECK(read(0x2, 12, 12, whole).pid == 12 && read(0x200, 12, 12, whole).pid == 12);
  // A fork, a thread's name.
  CHECK(read(0x1, 12, 12, whole).pid == 0 && read(0x200, 13, 12, whole).pid == 0);
  CHECK(read(0, 1, 0, whole).answers == 7U && read(0, 1, 0, whole).error == 1);
  for (const size_t size : {size_t{0}, sizeof(nlmsghdr), sizeof(nlmsghdr) + sizeof(cn_msg)}) {
    const ExecEvent cut = read(0x2, 12, 12, size);
    CHECK(cut.pid == 0 && !cut.answers);
  }
  head.id = {CN_IDX_PROC + 1, CN_VAL_PROC};
  CHECK(read(0x2, 12, 12, whole).pid == 0);
}

void only_what_counts_passes_the_filter() {
  if (!must_be_told()) return;
  const auto events = ExecEvents::open();
  CHECK(events);
  // Forks and ends of processes that execute nothing.
  std::vector<pid_t> forks;
  for (int i = 0; i < 50; i++) {
    const pid_t pid = fork();
    if (pid == 0) _exit(0);
    forks.push_back(pid);
    CHECK(waitpid(pid, nullptr, 0) == pid);
  }
  const Sleeper sleeper("sleep");
  std::vector<pid_t> pids;
  const double deadline_ms = real_sys().boot_ms() + 20'000;
  while (std::find(pids.begin(), pids.end(), sleeper.pid()) == pids.end()) {
    CHECK(events->take(pids) && real_sys().boot_ms() < deadline_ms);
  }
  for (const pid_t pid : forks) CHECK(std::find(pids.begin(), pids.end(), pid) == pids.end());
}

void who_is_not_asked_any_more_gives_no_roll() {
  World world(kOnlyIfAsked);
  int told = 0;
  Census::Search search(world.census, world.named(), [&](const Roll&) { told++; });
  world.census.stop();
  world.census.stop();
  search.look();
  RollNeeds needs;
  needs.words = true;
  CHECK(world.census.fresh(needs)->error() == ETIMEDOUT && told == 0);
}

/// Of a machine where whoever waits gets no CPU for long: each look at the clock is four times as late as the one before.
struct LateSys final : Sys {
  std::atomic<double> now_ms{1};
  double boot_ms() override {
    double before = now_ms;
    while (!now_ms.compare_exchange_weak(before, before * 4)) {
    }
    return before * 4;
  }
};

void who_gets_no_cpu_for_long_gets_his_roll_all_the_same() {
  RollNeeds needs;
  needs.words = true;
  for (int i = 0; i < 50; i++) {
    LateSys sys;
    Reactor reactor(sys, no_errors);
    Census census(reactor, sys, ProcFs(), kOnlyIfAsked);
    CHECK(census.fresh(needs)->error() == 0);
  }
}

struct SeekingWorld : World {
  FolderHub folders{reactor};
  ProcessFinder finder{real_sys(), proc, [](pid_t) { return false; }};
  const ProcessContext context{finder, proc, true, nullptr, &census, &folders};
  RecordingHost host;
  std::unique_ptr<ProcessSensor> sensor;

  explicit SeekingWorld(CensusCadence cadence = kQuick) : World(cadence) {}
  SensorState start(const ProcessSpec& spec) {
    sensor = std::make_unique<ProcessSensor>(reactor, host, context, std::make_shared<const ProcessSpec>(spec));
    return sensor->start().state;
  }
  pid_t until_up(size_t count) {
    run_until(reactor, [&] { return host.reports.size() >= count; });
    CHECK(host.reports[count - 1].state == SensorState::up);
    return *host.reports[count - 1].pid;
  }
};

void a_sensor_finds_by_name_what_comes_and_comes_back_late() {
  SeekingWorld world;
  CHECK(world.start(world.named()) == SensorState::absent);
  auto first = std::make_unique<Sleeper>(world.name);
  CHECK(world.until_up(1) == first->pid());
  first.reset();
  run_until(world.reactor, [&] { return world.host.reports.size() == 2; });
  CHECK(world.host.reports[1].state == SensorState::down);
  // The quick looks are over then.
  const double later_ms = world.sys.boot_ms() + 1500;
  run_until(world.reactor, [&] { return world.sys.boot_ms() > later_ms; });
  const Sleeper second(world.name, kLongTime);
  CHECK(world.until_up(3) == second.pid());
}

void a_sensor_hears_of_a_pidfile_at_once() {
  SeekingWorld world(kOnlyIfAsked);
  ProcessSpec spec;
  spec.pidfile = world.dir.path() + "/run/x/x.pid";
  CHECK(world.start(spec) == SensorState::absent);
  const Sleeper sleeper(world.name);
  world.dir.write("run/x/x.pid", std::to_string(sleeper.pid()));
  CHECK(world.until_up(1) == sleeper.pid());
}

void a_sensor_finds_a_successor_soon_without_waiting_for_the_cadence() {
  SeekingWorld world(kOnlyIfAsked);
  auto first = std::make_unique<Sleeper>(world.name);
  SensorState state = world.start(world.named());
  if (state != SensorState::up) CHECK(world.until_up(1) == first->pid());
  world.host.reports.clear();
  first.reset();
  run_until(world.reactor, [&] { return world.host.reports.size() == 1; });
  const Sleeper second(world.name, kLongTime);
  CHECK(world.until_up(2) == second.pid());
}

void a_sensor_is_told_of_hidden_processes_by_the_census() {
  TempDir dir;
  dir.write("proc/1/comm", "init\n");
  World base(kQuick, dir.path() + "/proc");
  ProcessFinder finder(real_sys(), base.proc, [](pid_t) { return false; });
  const ProcessContext context{finder, base.proc, true, nullptr, &base.census, nullptr};
  RecordingHost host;
  ProcessSensor sensor(base.reactor, host, context, std::make_shared<const ProcessSpec>(base.named()));
  CHECK(sensor.start().state == SensorState::absent && host.faults.empty());
  std::filesystem::rename(dir.path() + "/proc/1", dir.path() + "/proc/2");
  run_until(base.reactor, [&] { return host.faults.size() == 1; });
  CHECK(host.faults[0].code == "EACCES" && host.faults[0].active);
  std::filesystem::rename(dir.path() + "/proc/2", dir.path() + "/proc/1");
  run_until(base.reactor, [&] { return !host.faults[0].active; });
}

}  // namespace

void test_census() {
  who_comes_is_told_and_who_does_not_wakes_nobody();
  who_asks_is_told_also_that_there_is_nothing();
  a_pidfile_counts_when_its_process_lives();
  a_socket_counts_when_somebody_listens();
  it_gets_slower_until_something_is_started();
  a_search_may_end_itself_and_others_while_it_is_told();
  what_hides_the_processes_is_told_to_all_and_its_end_too();
  another_thread_gets_a_fresh_roll_that_serves_more_than_one();
  events_are_read_with_care();
  only_what_counts_passes_the_filter();
  the_kernel_tells_who_executes_a_program_or_takes_a_name();
  who_is_not_asked_any_more_gives_no_roll();
  who_gets_no_cpu_for_long_gets_his_roll_all_the_same();
  a_sensor_finds_by_name_what_comes_and_comes_back_late();
  a_sensor_hears_of_a_pidfile_at_once();
  a_sensor_finds_a_successor_soon_without_waiting_for_the_cadence();
  a_sensor_is_told_of_hidden_processes_by_the_census();
}

}  // namespace sockmon
