// Which process counts, in a made-up /proc: origin, pidfiles, several of one name, several servers of one port.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "check.h"
#include "process/process_finder.h"

namespace sockmon {
namespace {

struct World {
  TempDir dir;
  FakeSys sys;
  ProcFs proc{dir.path() + "/proc"};
  ProcessFinder finder{sys, proc, [](pid_t) { return false; }};

  World() {
    add(1, "systemd");
    link("thread-self/ns/pid", "pid:[100]");
    link("thread-self/ns/net", "net:[200]");
    // The sockets are those of the made-up tables.
    sys.on_socket = [](int domain) { return domain == AF_NETLINK ? fail(EPERM) : FakeSys::kReal; };
  }
  void link(const std::string& name, const std::string& target) {
    const std::string path = dir.path() + "/proc/" + name;
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    std::filesystem::remove(path);
    CHECK(symlink(target.c_str(), path.c_str()) == 0);
  }
  void add(pid_t pid, const std::string& comm, double age_ms = 60'000, pid_t parent = 1, const std::string& arguments = "",
           uint64_t flags = 0) {
    const auto ticks = static_cast<long>((sys.boot_ms() - age_ms) / 1000 * static_cast<double>(sysconf(_SC_CLK_TCK)));
    const std::string base = "proc/" + std::to_string(pid) + "/";
    dir.write(base + "stat", std::to_string(pid) + " (" + comm + ") S " + std::to_string(parent) + " 1 " + std::to_string(pid) +
                                 " 0 -1 " + std::to_string(flags) + " 0 0 0 0 0 0 0 0 20 0 1 0 " + std::to_string(ticks) +
                                 " 0 0 0 " + std::to_string(1000 + pid) + " 0 " + std::to_string(2000 + pid) +
                                 " 0 0 0 0 0 0 0 0 0 0 0 17 1 0 0 0 0 0 0 0 0 0 0 0 0 0");
    dir.write(base + "comm", comm + "\n");
    dir.write(base + "cmdline", comm + std::string(1, '\0') + arguments);
    in_namespaces(pid, 100, 200);
  }
  void in_namespaces(pid_t pid, int pid_namespace, int net_namespace) {
    link(std::to_string(pid) + "/ns/pid", "pid:[" + std::to_string(pid_namespace) + "]");
    link(std::to_string(pid) + "/ns/net", "net:[" + std::to_string(net_namespace) + "]");
  }
  void of_user(pid_t pid, uid_t user) {
    if (geteuid() == 0) CHECK(chown((dir.path() + "/proc/" + std::to_string(pid)).c_str(), user, user) == 0);
  }
  void listens(pid_t pid, int fd, int inode) { link(std::to_string(pid) + "/fd/" + std::to_string(fd), "socket:[" + std::to_string(inode) + "]"); }
  /// TCP sockets as /proc/net/tcp has them: {address and port in hexadecimal, inode number}.
  void sockets(const std::vector<std::pair<std::string, int>>& sockets) {
    std::string table = "header\n";
    for (const auto& [address, inode] : sockets)
      table += " 0: " + address + " 00000000:0000 0A 0:0 0:0 0 0 0 " + std::to_string(inode) + " 1\n";
    dir.write("proc/thread-self/net/tcp", table);
  }
  Search find(const ProcessSpec& spec, const Departed* dead = nullptr, std::vector<Identity> watched = {}) {
    return finder.find(spec, {dead, std::move(watched), {}, false});
  }
  Departed end(pid_t pid, std::vector<BoundSocket> sockets = {}) {
    auto facts = read_facts(proc, pid);
    read_origin(proc, *facts);
    Departed dead = depart(remember(*facts, proc.namespaces(0)), sys.boot_ms());
    dead.watched.sockets = std::move(sockets);
    std::filesystem::remove_all(dir.path() + "/proc/" + std::to_string(pid));
    return dead;
  }
};

ProcessSpec named(const std::string& name) {
  ProcessSpec spec;
  spec.name = name;
  return spec;
}

ProcessSpec listening(const std::string& text) {
  ProcessSpec spec;
  spec.listen = parse_listen(text);
  return spec;
}

pid_t pid_of(const Search& search) { return search.found.empty() ? 0 : search.found[0].watched.identity.pid; }

bool says(const Search& search, const std::string& words) { return search.why_not.find(words) != std::string::npos; }

void what_runs_in_a_container_is_not_ours() {
  World world;
  world.add(50, "dnsmasq", 90'000);
  world.in_namespaces(50, 101, 201);
  CHECK(pid_of(world.find(named("dnsmasq"))) == 0 && says(world.find(named("dnsmasq")), "another PID namespace"));
  world.in_namespaces(50, 100, 201);
  CHECK(says(world.find(named("dnsmasq")), "another network namespace"));
  ProcessSpec any = named("dnsmasq");
  any.any_namespace = true;
  CHECK(pid_of(world.find(any)) == 50);
  world.add(51, "dnsmasq", 10'000);
  CHECK(pid_of(world.find(named("dnsmasq"))) == 51);
  // And not when ours has died.
  const Departed dead = world.end(51);
  world.add(50, "dnsmasq", -5'000);
  world.in_namespaces(50, 101, 201);
  CHECK(pid_of(world.find(named("dnsmasq"), &dead)) == 0);
  world.in_namespaces(50, 100, 200);
  CHECK(pid_of(world.find(named("dnsmasq"), &dead)) == 50);
}

void a_survivor_is_named_as_such() {
  World world;
  world.add(60, "openvpn", 20'000);
  world.add(61, "openvpn", 10'000);
  const Departed dead = world.end(60);
  CHECK(says(world.find(named("openvpn"), &dead), "lived already when the watched one died"));
  world.add(62, "openvpn", -1'000);
  CHECK(pid_of(world.find(named("openvpn"), &dead)) == 62);
}

void several_are_told_with_what_tells_them_apart() {
  World world;
  world.add(60, "openvpn", 20'000, 1, "--config a");
  world.add(61, "openvpn", 10'000, 1, "--config b");
  world.add(62, "openvpn", 5'000, 61, "--config b");
  world.sockets({{"0100007F:0050", 7}});
  world.listens(61, 3, 7);
  const Search search = world.find(named("openvpn"));
  CHECK(pid_of(search) == 60 && search.found.size() == 1);
  CHECK(search.rivals == "pid 60 (openvpn --config a), pid 61 (openvpn --config b) on 127.0.0.1:80");
  ProcessSpec one = named("openvpn");
  one.command = "--config b";
  CHECK(pid_of(world.find(one)) == 61 && world.find(one).rivals.empty());
}

void a_user_narrows_and_a_person_stands_behind() {
  if (geteuid() != 0) return;
  World world;
  world.add(60, "dnsmasq", 20'000);
  world.of_user(60, 1000);
  world.add(61, "dnsmasq", 10'000);
  world.of_user(61, 105);
  CHECK(pid_of(world.find(named("dnsmasq"))) == 61);
  ProcessSpec spec = named("dnsmasq");
  spec.user = UserSpec{"1000", 1000};
  CHECK(pid_of(world.find(spec)) == 60);
  spec.user = UserSpec{"nobody-of-that-name", std::nullopt};
  CHECK(says(world.find(spec), "there is no user nobody-of-that-name"));
  // Not as a successor either.
  const Departed dead = world.end(61);
  world.add(62, "dnsmasq", -1'000);
  world.of_user(62, 1001);
  CHECK(says(world.find(named("dnsmasq"), &dead), "another user"));
}

void the_nearest_is_proposed() {
  World world;
  world.add(60, "foo-bar");
  CHECK(says(world.find(named("foo")), "no process is named foo; did you mean foo-bar, pid 60 (foo-bar"));
  CHECK(world.find(named("zzz")).why_not == "no process is named zzz");
}

struct Pidfile {
  World world;
  ProcessSpec spec;
  std::string write(const std::string& text, double age_ms, const std::string& folder = "") {
    const std::string path = folder.empty() ? world.dir.write("x.pid", text) : folder + "/" + std::to_string(getpid()) + "-x.pid";
    std::ofstream(path) << text;
    const double at = world.sys.wall_ms() - world.sys.wall_step_ms - age_ms;
    const timespec time{static_cast<time_t>(at / 1000), 0};
    const timespec times[] = {time, time};
    CHECK(utimensat(AT_FDCWD, path.c_str(), times, 0) == 0);
    spec.pidfile = path;
    return path;
  }
};

void a_clock_that_is_set_takes_no_process_away() {
  Pidfile file;
  file.world.add(50, "dnsmasq", 10'000);
  file.write("50", 9'900);
  CHECK(pid_of(file.world.find(file.spec)) == 50);
  file.world.sys.wall_step_ms = 90'000;
  // Seen before the step: by that clock it is old enough.
  CHECK(pid_of(file.world.find(file.spec)) == 50);
  // A new monitor has not seen it, but the name tells.
  ProcessFinder later(file.world.sys, file.world.proc, [](pid_t) { return false; });
  CHECK(says(later.find(file.spec), "younger than the file"));
  ProcessSpec named_too = file.spec;
  named_too.name = "dnsmasq";
  CHECK(pid_of(later.find(named_too)) == 50);
  // Or the path, or the command line.
  file.world.add(50, "x", 10'000);
  CHECK(pid_of(later.find(file.spec)) == 50);
  file.world.add(50, "dnsmasq", 10'000, 1, "--pid-file=" + file.spec.pidfile);
  CHECK(pid_of(later.find(file.spec)) == 50);
}

void a_number_that_was_given_once_is_no_strangers() {
  Pidfile file;
  file.world.add(50, "dnsmasq", 10'000);
  const std::string path = file.write("50", 60'000, "/dev/shm");
  file.world.dir.write("proc/sys/kernel/pid_max", "32768\n");
  file.world.dir.write("proc/stat", "cpu\nprocesses 40000\n");
  CHECK(says(file.world.find(file.spec), "younger than the file"));
  file.world.dir.write("proc/stat", "cpu\nprocesses 30000\n");
  CHECK(pid_of(file.world.find(file.spec)) == 50);
  std::filesystem::remove(path);
  // A disk may hold the file of another boot.
  file.write("50", 60'000);
  CHECK(says(file.world.find(file.spec), "younger than the file"));
}

void some_are_never_believed() {
  Pidfile file;
  file.spec.name = "systemd";
  file.write("1", 0);
  CHECK(says(file.world.find(file.spec), "init of the machine"));
  constexpr uint64_t kKernelThread = 0x200000;
  file.spec.name.clear();
  file.world.add(2, "kthreadd", 60'000, 0, "", kKernelThread);
  file.write("2", 0);
  CHECK(says(file.world.find(file.spec), "thread of the kernel"));
  file.world.add(getpid(), "sockmon");
  file.write(std::to_string(getpid()), 0);
  CHECK(says(file.world.find(file.spec), "sockmon itself"));
  if (geteuid() != 0) return;
  // A file that its daemon may write must not choose a process of root's.
  file.world.add(50, "sshd");
  const std::string path = file.write("50", 0);
  CHECK(pid_of(file.world.find(file.spec)) == 50);
  CHECK(chown(path.c_str(), 105, 105) == 0);
  CHECK(says(file.world.find(file.spec), "neither to root nor to the user"));
  file.world.dir.write("proc/50/status", "Name:\tsshd\nUid:\t0\t0\t105\t0\nGid:\t0\n");
  CHECK(pid_of(file.world.find(file.spec)) == 50);
}

void an_heir_is_found_before_the_reflex() {
  Pidfile file;
  file.world.add(50, "haproxy", 10'000);
  file.write("50", 9'000);
  Departed dead = file.world.end(50);
  dead.watched.pidfile = read_pidfile(file.spec.pidfile).stamp;
  const auto heir = [&] { return file.world.finder.find_heir(file.spec, {&dead, {}, {}, false}); };
  CHECK(heir().found.empty() && !heir().pending);
  // It lived at the death: the pidfile says that it has taken over.
  file.world.add(51, "haproxy", 5'000);
  file.write("51", 4'000);
  CHECK(pid_of(heir()) == 51);
  // Being written.
  file.write("", 0);
  CHECK(heir().found.empty() && heir().pending);
  // The successor is dying as well.
  file.write("51", 0);
  file.world.dir.write("proc/51/stat", "51 (haproxy) R 1 51 51 0 -1 4 0 0 0 0 0 0 0 0 20 0 1 0 5 0 0");
  file.world.dir.write("proc/51/task/51/stat", "51 (haproxy) R 1 51 51 0 -1 4 0 0 0 0 0 0 0 0 20 0 1 0 5 0 0");
  CHECK(heir().found.empty() && !heir().pending);
}

void each_server_of_a_port_is_found() {
  World world;
  world.add(70, "resolved", 20'000);
  world.add(71, "dnsmasq", 10'000);
  world.add(72, "dnsmasq", 5'000, 71);
  world.sockets({{"3500007F:0035", 7}, {"0101A8C0:0035", 8}});
  world.listens(70, 3, 7);
  world.listens(71, 4, 8);
  world.listens(72, 4, 8);
  const Search search = world.find(listening("tcp:53"));
  CHECK(search.found.size() == 2 && pid_of(search) == 70 && search.found[1].watched.identity.pid == 71 && search.rivals.empty());
  CHECK(address_words(search.found[1].watched.sockets.at(0)) == "192.168.1.1:53");
  CHECK(world.find(listening("tcp:127.0.0.53:53")).found.size() == 1);
  // The LAN's has died: the stub resolver does not stand in for it, nor does the worker that has the socket still.
  const Identity stub = search.found[0].watched.identity;
  const Departed dead = world.end(71, search.found[1].watched.sockets);
  const std::string stat = "72 (dnsmasq) S 1 1 71 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 100 0 0 0 1071 0 2071 0";
  world.dir.write("proc/72/stat", stat);
  CHECK(says(world.find(listening("tcp:53"), &dead, {stub}), "a worker that the dead one has left behind"));
  world.add(73, "dnsmasq", -1'000);
  world.listens(73, 4, 9);
  world.sockets({{"3500007F:0035", 7}, {"0101A8C0:0035", 8}, {"0201A8C0:0035", 9}});
  CHECK(pid_of(world.find(listening("tcp:53"), &dead, {stub})) == 0);
  world.sockets({{"3500007F:0035", 7}, {"0101A8C0:0035", 9}});
  CHECK(pid_of(world.find(listening("tcp:53"), &dead, {stub})) == 73);
}

void an_activator_that_nobody_serves_for_is_idle() {
  World world;
  world.sockets({{"00000000:0277", 7}});
  world.listens(1, 30, 7);
  ProcessSpec spec = listening("tcp:631");
  spec.name = "cupsd";
  CHECK(world.find(spec).found.at(0).watched.idle && pid_of(world.find(spec)) == 1);
  world.add(80, "cupsd", 1'000);
  world.listens(80, 3, 7);
  const Search search = world.find(spec);
  CHECK(pid_of(search) == 80 && !search.found[0].watched.idle && search.found[0].watched.activator->pid == 1);
  // Somebody else has the port.
  std::filesystem::remove_all(world.dir.path() + "/proc/80/fd");
  world.add(81, "apache2", 1'000);
  world.listens(81, 3, 7);
  CHECK(says(world.find(spec), "is named cupsd") && world.find(spec).found.empty());
}

}  // namespace

void test_identity() {
  what_runs_in_a_container_is_not_ours();
  a_survivor_is_named_as_such();
  several_are_told_with_what_tells_them_apart();
  a_user_narrows_and_a_person_stands_behind();
  the_nearest_is_proposed();
  a_clock_that_is_set_takes_no_process_away();
  a_number_that_was_given_once_is_no_strangers();
  some_are_never_believed();
  an_heir_is_found_before_the_reflex();
  each_server_of_a_port_is_found();
  an_activator_that_nobody_serves_for_is_idle();
}

}  // namespace sockmon
