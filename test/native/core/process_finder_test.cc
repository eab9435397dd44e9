#include "process/process_finder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "check.h"

namespace sockmon {
namespace {

/// A made-up /proc, and a finder that looks there.
struct World {
  TempDir dir;
  FakeSys sys;
  pid_t script_session = -1;
  ProcFs proc{dir.path() + "/proc"};
  ProcessFinder finder{sys, proc, [this](pid_t session) { return session == script_session; }};

  World() {
    add(1, 0, "systemd");
    // The sockets are those of the made-up tables.
    sys.on_socket = [](int domain) { return domain == AF_NETLINK ? fail(EPERM) : FakeSys::kReal; };
  }

  void add(pid_t pid, pid_t parent, const std::string& comm, double age_ms = 60'000, char state = 'S',
           const std::string& argv0 = "", pid_t session = 0) {
    const auto ticks = static_cast<long>((sys.boot_ms() - age_ms) / 1000 * static_cast<double>(sysconf(_SC_CLK_TCK)));
    const std::string base = "proc/" + std::to_string(pid) + "/";
    dir.write(base + "stat", std::to_string(pid) + " (" + comm + ") " + state + " " + std::to_string(parent) + " 1 " +
                                 std::to_string(session) + " 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 " + std::to_string(ticks) +
                                 " 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 17 1 0 0 0 0 0 0 0 0 0 0 0 0 0");
    dir.write(base + "comm", comm + "\n");
    dir.write(base + "cmdline", (argv0.empty() ? comm : argv0) + std::string("\0-d", 3));
  }
  /// Its threads are inside do_exit, but its pidfd has not fired yet.
  void let_die(pid_t pid, const std::string& comm) {
    const std::string base = "proc/" + std::to_string(pid);
    for (const char* file : {"/stat", "/task/1/stat", "/task/2/stat"})
      dir.write(base + file, std::to_string(pid) + " (" + comm + ") R 1 1 0 0 -1 4 0 0 0 0 0 0 0 0 20 0 1 0 5");
  }
  void add_socket(pid_t pid, int fd, long inode) {
    const std::string base = dir.path() + "/proc/" + std::to_string(pid) + "/fd";
    std::filesystem::create_directories(base);
    CHECK(symlink(("socket:[" + std::to_string(inode) + "]").c_str(), (base + "/" + std::to_string(fd)).c_str()) == 0);
  }
  std::string pidfile(const std::string& text, double age_ms = 0) {
    const std::string path = dir.write("x.pid", text);
    const double at = sys.wall_ms() - sys.wall_step_ms - age_ms;
    const timespec time{static_cast<time_t>(at / 1000), 0};
    const timespec times[] = {time, time};
    CHECK(utimensat(AT_FDCWD, path.c_str(), times, 0) == 0);
    return path;
  }
  pid_t by_name(const std::string& name) {
    ProcessSpec spec;
    spec.name = name;
    const Search search = finder.find(spec);
    return search.found.empty() ? 0 : search.found[0].watched.identity.pid;
  }
  Search by_pidfile(const std::string& path, const char* name = nullptr) {
    ProcessSpec spec;
    spec.pidfile = path;
    if (name != nullptr) spec.name = name;
    return finder.find(spec);
  }
};

bool is_found(const Search& search) { return !search.found.empty(); }

bool says(const Search& search, const char* words) {
  return search.found.empty() && search.why_not.find(words) != std::string::npos;
}

void a_pidfile_is_believed_if_the_process_fits() {
  World world;
  world.add(50, 1, "dnsmasq", 10'000);
  CHECK(world.by_pidfile(world.pidfile("50\n", 9'000)).found.at(0).watched.identity.pid == 50);
  CHECK(is_found(world.by_pidfile(world.pidfile("  50  extra\nlines\n", 9'000))));
  CHECK(is_found(world.by_pidfile(world.pidfile("50", 9'000), "dnsmasq")));
  CHECK(says(world.by_pidfile(world.pidfile("50", 9'000), "other"), "is not other"));
}

void a_bad_pidfile_is_refused_with_a_reason() {
  World world;
  world.add(50, 1, "dnsmasq", 10'000);
  for (const char* text : {"", "\n", "abc", "-50", "0", "50x", "99999999999999999999", "\x00\x01\xff", "5 0x"})
    CHECK(world.by_pidfile(world.pidfile(text)).found.empty());
  CHECK(says(world.by_pidfile(world.pidfile("garbage")), "holds no pid"));
  CHECK(says(world.by_pidfile(world.pidfile("32000000")), "is gone"));
  CHECK(says(world.by_pidfile(world.dir.path() + "/none"), "No such file"));
  CHECK(says(world.by_pidfile(world.dir.path()), "directory"));
  world.add(51, 1, "dead", 10'000, 'Z');
  CHECK(says(world.by_pidfile(world.pidfile("51")), "is dead, or dying"));
}

void one_in_the_middle_of_execve_is_found_by_its_pid_and_not_by_its_words() {
  World world;
  world.add(50, 1, "dnsmasq", 10'000);
  // It is told what it executes, and has no stack yet.
  CHECK(symlink("/usr/sbin/dnsmasq", (world.dir.path() + "/proc/50/exe").c_str()) == 0);
  CHECK(is_found(world.by_pidfile(world.pidfile("50"))));
  CHECK(says(world.by_pidfile(world.pidfile("50"), "dnsmasq"), "just executing its program"));
  CHECK(world.by_name("dnsmasq") == 0);
}

void a_process_younger_than_the_pidfile_is_a_stranger() {
  World world;
  world.add(50, 1, "dnsmasq", 10'000);
  CHECK(says(world.by_pidfile(world.pidfile("50", 60'000)), "younger than the file"));
  // Up to 2 s of rounding are forgiven.
  CHECK(is_found(world.by_pidfile(world.pidfile("50", 10'900))));
}

void a_stepped_clock_is_seen_through_on_a_tmpfs_only() {
  const double year_ms = 365.0 * 24 * 3600 * 1000;
  World world;
  world.add(50, 1, "dnsmasq", 10'000);
  // Written before NTP set a clock that had begun a year in the past.
  const std::string file = world.pidfile("50", year_ms);
  CHECK(says(world.by_pidfile(file), "younger than the file"));
  const std::string on_tmpfs = "/dev/shm/sockmon-core-" + std::to_string(getpid()) + ".pid";
  std::ofstream(on_tmpfs) << "50\n";
  const timespec old{static_cast<time_t>((world.sys.wall_ms() - year_ms) / 1000), 0};
  const timespec times[] = {old, old};
  CHECK(utimensat(AT_FDCWD, on_tmpfs.c_str(), times, 0) == 0);
  CHECK(is_found(world.by_pidfile(on_tmpfs)));
  CHECK(says(world.by_pidfile(on_tmpfs, "other"), "is not other"));
  std::filesystem::remove(on_tmpfs);
}

void a_name_finds_the_oldest_that_has_no_such_parent() {
  World world;
  world.add(60, 1, "nginx", 5'000);
  world.add(61, 60, "nginx", 50'000);
  world.add(62, 1, "nginx", 4'000);
  CHECK(world.by_name("nginx") == 60);
  CHECK(world.by_name("nginy") == 0);
  world.add(70, 1, "python3", 9'000, 'S', "/usr/bin/fail2ban-server");
  CHECK(world.by_name("fail2ban-server") == 70);
  world.add(71, 1, "ghost", 9'000, 'Z');
  CHECK(world.by_name("ghost") == 0);
  world.add(getpid(), 1, "myself");
  CHECK(world.by_name("myself") == 0);
}

void a_running_script_is_not_the_daemon_it_starts() {
  World world;
  world.add(80, 1, "dnsmasq", 1'000, 'S', "/bin/sh", 80);
  world.script_session = 80;
  CHECK(world.by_name("dnsmasq") == 0);
  // Still in the session of the script.
  world.add(81, 1, "dnsmasq", 500, 'S', "/usr/sbin/dnsmasq", 80);
  CHECK(world.by_name("dnsmasq") == 81);
}

void a_dying_process_gives_way_to_its_successor() {
  World world;
  world.add(95, 1, "slirp4netns", 9'000);
  world.let_die(95, "slirp4netns");
  CHECK(world.by_name("slirp4netns") == 0);
  CHECK(says(world.by_pidfile(world.pidfile("95")), "is dead, or dying"));
  world.add(96, 1, "slirp4netns", 10);
  CHECK(world.by_name("slirp4netns") == 96);
  // One thread that is not on its way out: a leader may go before the others.
  world.dir.write("proc/95/task/2/stat", "95 (x) S 1 1 0 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 5");
  CHECK(world.by_name("slirp4netns") == 95);
}

void a_hidden_proc_is_a_fault() {
  World world;
  // Alive, but not in /proc.
  CHECK(world.by_pidfile(world.pidfile(std::to_string(getppid()))).fault == "EACCES");
  std::filesystem::remove_all(world.dir.path() + "/proc/1");
  ProcessSpec spec;
  spec.name = "dnsmasq";
  CHECK(world.finder.find(spec).fault == "EACCES");
  std::filesystem::remove_all(world.dir.path() + "/proc");
  CHECK(world.finder.find(spec).fault == "ENOENT");
}

void a_listening_socket_finds_its_server() {
  World world;
  world.dir.write("proc/thread-self/net/tcp",
                  "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
                  "   0: 00000000:0035 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 777 1\n");
  ProcessSpec spec;
  spec.listen = parse_listen("tcp:53");
  CHECK(says(world.finder.find(spec), "owns the socket"));
  world.add(90, 1, "dnsmasq", 1'000);
  world.add_socket(90, 4, 777);
  // The service manager holds it too, and is no server.
  world.add_socket(1, 9, 777);
  CHECK(world.finder.find(spec).found.at(0).watched.identity.pid == 90);
  spec.name = "other";
  CHECK(says(world.finder.find(spec), "is named other"));
  spec.listen = parse_listen("tcp:54");
  CHECK(says(world.finder.find(spec), "nothing listens on tcp:54"));
  // The pidfile decides, the socket helps out.
  spec.name.clear();
  spec.listen = parse_listen("tcp:53");
  spec.pidfile = world.pidfile("garbage");
  CHECK(world.finder.find(spec).found.at(0).watched.identity.pid == 90);
}

}  // namespace

void test_process_finder() {
  a_pidfile_is_believed_if_the_process_fits();
  a_bad_pidfile_is_refused_with_a_reason();
  one_in_the_middle_of_execve_is_found_by_its_pid_and_not_by_its_words();
  a_process_younger_than_the_pidfile_is_a_stranger();
  a_stepped_clock_is_seen_through_on_a_tmpfs_only();
  a_name_finds_the_oldest_that_has_no_such_parent();
  a_running_script_is_not_the_daemon_it_starts();
  a_dying_process_gives_way_to_its_successor();
  a_hidden_proc_is_a_fault();
  a_listening_socket_finds_its_server();
}

}  // namespace sockmon
