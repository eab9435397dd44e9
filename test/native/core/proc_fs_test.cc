#include "process/proc_fs.h"

#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <random>

#include "check.h"

namespace sockmon {
namespace {

// From a real machine, with a comm that tries to deceive.
const char kLine[] =
    "4242 (a) S (b c)) S 17 4242 99 0 -1 4194304 95 0 0 0 0 0 0 0 20 0 1 0 123456 2560000 220 18446744073709551615 1 1 "
    "0 0 0 0 0 0 0 0 0 0 17 1 0 0 0 0 0 0 0 0 0 0 0 0 9\n";

std::string with_state(char state, int threads) {
  return "7 (x) " + std::string(1, state) + " 1 7 7 0 -1 0 0 0 0 0 0 0 0 0 20 0 " + std::to_string(threads) +
         " 0 5 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 17 1 0 0 0 0 0 0 0 0 0 0 0 0 768";
}

void a_line_is_read() {
  const auto stat = parse_stat(kLine);
  CHECK(stat && stat->pid == 4242 && stat->comm == "a) S (b c)" && stat->state == 'S');
  CHECK(stat->parent == 17 && stat->session == 99 && stat->start_ticks == 123456 && stat->exit_status == 9);
  CHECK(!stat->dead && !stat->memory_gone);
  CHECK(parse_stat(with_state('X', 1))->memory_gone);
}

void zombies_are_dead_unless_threads_live_on() {
  CHECK(parse_stat(with_state('Z', 1))->dead);
  CHECK(parse_stat(with_state('Z', 1))->exit_status == 768);
  CHECK(parse_stat(with_state('X', 1))->dead);
  CHECK(!parse_stat(with_state('Z', 4))->dead);
  CHECK(!parse_stat(with_state('D', 1))->dead);
}

void garbage_is_refused() {
  const std::string line = kLine;
  for (const char* text : {"", "\n", "(", ") ", "1 ( ) ", "1 (x", "1 (x) ", "x (y) S 1 1 1", "1 (x) S", " () S 1",
                           "99999999999999 (x) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 5"})
    CHECK(!parse_stat(text));
  for (size_t size = 0; size < line.size() / 3; size++) CHECK(!parse_stat(line.substr(0, size)));
}

void damaged_lines_do_no_harm() {
  std::mt19937 random(1);
  for (int round = 0; round < 20'000; round++) {
    std::string line = kLine;
    for (int i = 0; i < 4; i++) line[random() % line.size()] = static_cast<char>(random());
    line.resize(random() % (line.size() + 1));
    parse_stat(line);
  }
}

void numbers_are_whole_or_nothing() {
  CHECK(parse_number<int>("-5") == -5);
  for (const char* text : {"", " 1", "1 ", "1x", "+1", "0x1", "99999999999"}) CHECK(!parse_number<int>(text));
  CHECK(parse_number<uint16_t>("ffff", 16) == 65535 && !parse_number<uint16_t>("10000", 16));
}

void the_real_proc_is_read() {
  const ProcFs proc;
  const auto self = proc.stat(getpid());
  CHECK(self && self->pid == getpid() && self->parent == getppid() && self->session == getsid(0));
  CHECK(self->comm.rfind("core_test", 0) == 0 && proc.command_line(getpid())[0].find("core_test") != std::string::npos);
  CHECK(proc.owner(getpid()) == geteuid() && proc.has_user(getpid(), getuid()) && !proc.has_user(getpid(), 4321));
  CHECK(self->image.known() && !self->kernel_thread);
  CHECK(proc.executable(getpid()).find("/core_test") != std::string::npos);
  const Namespaces own = proc.namespaces(0), same = proc.namespaces(getpid());
  CHECK(own.pid != 0 && own.net != 0 && own.pid == same.pid && own.net == same.net);
  const auto pids = proc.pids();
  CHECK(pids && std::find(pids->begin(), pids->end(), getpid()) != pids->end());
}

void a_missing_root_is_told_apart_from_an_empty_one() {
  const TempDir dir;
  CHECK(ProcFs(dir.path()).pids()->empty());
  CHECK(!ProcFs(dir.path() + "/none").pids() && errno == ENOENT);
  CHECK(ProcFs(dir.path()).net_table("tcp").empty());
  const ProcFs empty(dir.path());
  CHECK(empty.sockets_of(1, {1}).empty() && empty.executable(1).empty() && !empty.has_user(1, 0) && !empty.every_pid_is_new());
  CHECK(empty.namespaces(1).pid == 0 && empty.namespaces(0).net == 0);
}

void a_fork_has_the_image_of_its_parent_and_an_execution_another() {
  const ProcFs proc;
  int fds[2];
  CHECK(pipe(fds) == 0);
  const pid_t fork_pid = fork();
  if (fork_pid == 0) {
    // Ends with its parent as well, when nobody has the other end.
    close(fds[1]);
    char byte;
    _exit(read(fds[0], &byte, 1) == 1 ? 0 : 1);
  }
  const auto parent = proc.stat(getpid());
  CHECK(proc.stat(fork_pid)->image == parent->image);
  pid_t executed = 0;
  char name[] = "sleep", time[] = "1000";
  char* const argv[] = {name, time, nullptr};
  CHECK(posix_spawn(&executed, "/bin/sleep", nullptr, nullptr, argv, environ) == 0);
  // posix_spawn(3) returns as soon as execve(2) has let go of the parent's memory.
  while (!proc.stat(executed)->image.known()) usleep(100);
  CHECK(!(proc.stat(executed)->image == parent->image));
  CHECK(write(fds[1], "x", 1) == 1 && kill(executed, SIGKILL) == 0);
  CHECK(waitpid(fork_pid, nullptr, 0) == fork_pid && waitpid(executed, nullptr, 0) == executed);
  close(fds[0]);
  close(fds[1]);
}

void a_deleted_executable_keeps_its_name() {
  const TempDir dir;
  std::filesystem::create_directories(dir.path() + "/5");
  CHECK(symlink("/usr/sbin/dnsmasq (deleted)", (dir.path() + "/5/exe").c_str()) == 0);
  CHECK(ProcFs(dir.path()).executable(5) == "/usr/sbin/dnsmasq");
}

void numbers_come_round_when_more_were_made_than_there_are() {
  const TempDir dir;
  const ProcFs proc(dir.path());
  dir.write("sys/kernel/pid_max", "32768\n");
  dir.write("stat", "cpu 1 2 3\nprocesses 32767\nprocs_running 1\n");
  CHECK(proc.every_pid_is_new());
  dir.write("stat", "cpu 1 2 3\nprocesses 32768\nprocs_running 1\n");
  CHECK(!proc.every_pid_is_new());
  dir.write("stat", "cpu 1 2 3\n");
  CHECK(!proc.every_pid_is_new());
}

void a_fifo_does_not_block() {
  const TempDir dir;
  const std::string path = dir.path() + "/fifo";
  CHECK(mkfifo(path.c_str(), 0600) == 0);
  CHECK(read_file(path, 64) == "");
  CHECK(!read_file(dir.path(), 64) && errno == EISDIR);
  CHECK(read_file(dir.write("long", std::string(1000, 'x')), 64)->size() == 64);
}

}  // namespace

void test_proc_fs() {
  a_line_is_read();
  zombies_are_dead_unless_threads_live_on();
  garbage_is_refused();
  damaged_lines_do_no_harm();
  numbers_are_whole_or_nothing();
  the_real_proc_is_read();
  a_missing_root_is_told_apart_from_an_empty_one();
  a_fork_has_the_image_of_its_parent_and_an_execution_another();
  a_deleted_executable_keeps_its_name();
  numbers_come_round_when_more_were_made_than_there_are();
  a_fifo_does_not_block();
}

}  // namespace sockmon
