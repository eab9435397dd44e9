#include "process/roll.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include "base/unique_fd.h"
#include "check.h"
#include "process/listeners.h"
#include "process/matching.h"

namespace sockmon {
namespace {

struct World {
  TempDir dir;
  ProcFs proc{dir.path() + "/proc"};

  void add(pid_t pid, const std::string& comm, const std::vector<std::string>& argv, const std::string& executable = "") {
    const std::string base = "proc/" + std::to_string(pid) + "/";
    dir.write(base + "comm", comm + "\n");
    std::string line;
    for (const std::string& word : argv) line += word + std::string(1, '\0');
    dir.write(base + "cmdline", line);
    if (!executable.empty()) std::filesystem::create_symlink(executable, dir.path() + "/" + base + "exe");
  }
  Roll read() const {
    Roll roll;
    roll.read_words(proc);
    return roll;
  }
};

ProcessSpec named(const std::string& name, const std::string& command = "") {
  ProcessSpec spec;
  if (!name.empty()) spec.name = name;
  if (!command.empty()) spec.command = command;
  return spec;
}

using Pids = std::vector<pid_t>;

void everything_that_a_process_is_called_leads_to_it() {
  World world;
  world.add(1, "systemd", {"/sbin/init"}, "/usr/lib/systemd/systemd");
  world.add(10, "networkd-dispat", {"/usr/bin/python3", "/usr/bin/networkd-dispatcher", "--run"}, "/usr/bin/python3.11");
  world.add(11, "a-daemon-with-a", {"/opt/launcher", "/opt/a-daemon-with-a-long-name"}, "/opt/launcher");
  world.add(12, "sh", {"/bin/sh", "/etc/init.d/dnsmasq", "start"}, "/bin/dash");
  world.add(13, "dnsmasq", {"dnsmasq: resolving"}, "/usr/sbin/dnsmasq");
  world.add(14, "kworker/0:1", {});
  const Roll roll = world.read();
  CHECK(roll.error() == 0 && !roll.hides_others() && roll.has().words && !roll.has().sockets);
  CHECK(roll.matching(named("init")) == Pids{1} && roll.matching(named("systemd")) == Pids{1});
  CHECK(roll.matching(named("networkd-dispatcher")) == Pids{10});
  CHECK(roll.matching(named("a-daemon-with-a-long-name")) == Pids{11});
  // The script that starts it bears its name, and is not it.
  CHECK(roll.matching(named("dnsmasq")) == Pids{13});
  CHECK(roll.matching(named("kworker/0:1")) == Pids{14});
  CHECK(roll.matching(named("python3")) == Pids{10});
  CHECK(roll.matching(named("nobody")).empty() && roll.matching(named("")).empty());
  CHECK(roll.matching(named("", "/usr/bin/networkd-dispatcher  --run")) == Pids{10});
  CHECK(roll.matching(named("networkd-dispatcher", "--other")).empty());
}

constexpr size_t kMostNames = 500;

/// The index must find whatever a comparison with each process would find.
void the_index_agrees_with_a_look_at_each_process() {
  const ProcFs proc;
  std::vector<ProcessFacts> before, after;
  walk_processes(proc, [&](ProcessFacts&& facts) { before.push_back(std::move(facts)); });
  Roll roll;
  roll.read_words(proc);
  walk_processes(proc, [&](ProcessFacts&& facts) { after.push_back(std::move(facts)); });
  // Only those that have not changed meanwhile.
  std::map<pid_t, const ProcessFacts*> later;
  for (const ProcessFacts& facts : after) later[facts.stat.pid] = &facts;
  const auto has_changed = [&](const ProcessFacts& facts) {
    const auto found = later.find(facts.stat.pid);
    if (found == later.end()) return true;
    const ProcessFacts& other = *found->second;
    return !(other.identity() == facts.identity()) || other.argv != facts.argv || other.stat.comm != facts.stat.comm ||
           other.executable != facts.executable;
  };
  before.erase(std::remove_if(before.begin(), before.end(), has_changed), before.end());
  std::set<std::string> names;
  for (const ProcessFacts& facts : before) {
    names.insert(facts.stat.comm);
    names.insert(script_name(facts));
    names.insert(std::string(base_name(facts.executable)));
    for (const std::string& word : facts.argv) names.insert(std::string(base_name(word)));
    // A machine with ten thousand processes has more than can be compared in a test.
    if (names.size() >= kMostNames) break;
  }
  names.erase("");
  size_t compared = 0;
  for (const std::string& name : names) {
    const ProcessSpec spec = named(name);
    const Pids found = roll.matching(spec);
    for (const ProcessFacts& facts : before) {
      const bool is_found = std::find(found.begin(), found.end(), facts.stat.pid) != found.end();
      CHECK(is_found == fits_words(spec, facts, false));
      compared += is_found ? 1 : 0;
    }
  }
  CHECK(compared > 0);
}

void the_nearest_name_is_proposed() {
  World world;
  world.add(1, "systemd", {"/sbin/init"});
  world.add(10, "mosquitto", {"/usr/sbin/mosquitto", "-c", "x"}, "/usr/sbin/mosquitto");
  world.add(11, "networkd-dispat", {"python3", "/usr/bin/networkd-dispatcher"}, "/usr/bin/python3.11");
  const Roll roll = world.read();
  CHECK(roll.nearest("mosquito") == "mosquitto, pid 10 (/usr/sbin/mosquitto -c x)");
  CHECK(roll.nearest("networkd-dispatch").find("networkd-dispatcher, pid 11") == 0);
  CHECK(roll.nearest("dnsmasq").empty());
  // An interpreter is not what somebody has mistyped.
  CHECK(roll.nearest("python3.1").find("python3.11") == std::string::npos);
}

void what_cannot_be_seen_is_said() {
  World world;
  CHECK(world.read().error() == ENOENT);
  world.add(10, "x", {"x"});
  CHECK(world.read().hides_others() && world.read().error() == 0);
  world.add(1, "systemd", {"init"});
  CHECK(!world.read().hides_others());
}

void a_socket_leads_to_all_who_hold_it() {
  TempDir dir;
  const ProcFs proc;
  ProcessSpec spec;
  spec.listen = parse_listen("unix:" + dir.path() + "/socket");
  int order[2];
  CHECK(pipe(order) == 0);
  const pid_t child = fork();
  if (child == 0) {
    const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    spec.listen->path.copy(address.sun_path, sizeof address.sun_path - 1);
    const bool listens = bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 && listen(fd, 1) == 0;
    [[maybe_unused]] const ssize_t told = write(order[1], listens ? "y" : "n", 1);
    for (;;) pause();
  }
  char answer = 0;
  CHECK(read(order[0], &answer, 1) == 1 && answer == 'y');
  Roll roll;
  roll.read_holders(proc, all_sockets(real_sys(), proc));
  CHECK(roll.has().sockets && !roll.has().words);
  CHECK(roll.holders_of(find_listeners(real_sys(), proc, *spec.listen)) == Pids{child});
  CHECK(roll.holders_of({}).empty());
  kill(child, SIGKILL);
  CHECK(waitpid(child, nullptr, 0) == child);
  for (const int fd : order) close(fd);
}

}  // namespace

void test_roll() {
  everything_that_a_process_is_called_leads_to_it();
  the_index_agrees_with_a_look_at_each_process();
  the_nearest_name_is_proposed();
  what_cannot_be_seen_is_said();
  a_socket_leads_to_all_who_hold_it();
}

}  // namespace sockmon
