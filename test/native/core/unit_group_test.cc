#include "process/unit_group.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "check.h"

namespace sockmon {
namespace {

namespace fs = std::filesystem;

/// A made-up /sys/fs/cgroup and /run.
struct World {
  FakeSys sys;
  TempDir dir;
  Reactor reactor{sys, no_errors};
  FolderHub hub{reactor};
  ProcFs proc{dir.path() + "/proc"};
  int changes = 0;

  std::unique_ptr<UnitGroup> group(const std::string& name, bool of_user = false) {
    UnitPlaces places{dir.path() + "/cgroup", dir.path() + "/run", 1000};
    auto group = std::make_unique<UnitGroup>(hub, proc, UnitSpec{name, of_user}, places, [this] { changes++; });
    group->look();
    return group;
  }
  void folder(const std::string& name) const { fs::create_directories(dir.path() + "/" + name); }
  void process(pid_t pid, pid_t parent, int ticks, char state = 'S') const {
    dir.write("proc/" + std::to_string(pid) + "/stat", std::to_string(pid) + " (x) " + state + " " + std::to_string(parent) +
                                                           " 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 " + std::to_string(ticks) + " 0");
  }
  void until_changes(int count) {
    run_until(reactor, [&] { return changes >= count; });
  }
};

void it_is_found_in_every_layout() {
  const struct {
    const char* marker;
    const char* root;
  } layouts[] = {{"cgroup/cgroup.controllers", "cgroup"}, {"cgroup/unified/cgroup.procs", "cgroup/unified"}, {"cgroup/systemd/tasks", "cgroup/systemd"}};
  for (const auto& layout : layouts) {
    World world;
    world.dir.write(layout.marker, "");
    world.folder(std::string(layout.root) + "/system.slice/x.service");
    CHECK(world.group("x.service")->exists());
    CHECK(!world.group("y.service")->exists());
  }
  // A hybrid setup whose second version is empty: systemd keeps its units in the first.
  World world;
  world.folder("cgroup/unified");
  world.folder("cgroup/systemd/system.slice/x.service");
  CHECK(world.group("x.service")->exists());
}

void it_is_found_in_every_slice() {
  World world;
  world.dir.write("cgroup/cgroup.controllers", "");
  world.folder("cgroup/system.slice/system-wg\\x2dquick.slice/wg-quick@a.service");
  world.folder("cgroup/home.slice/home-net.slice/far.service");
  world.folder("cgroup/user.slice/user-1000.slice/user@1000.service/app.slice/mine.service");
  world.folder("cgroup/system.slice/_memory.service");
  CHECK(world.group("wg-quick@a.service")->exists());
  CHECK(world.group("far.service")->exists());
  CHECK(world.group("memory.service")->exists());
  CHECK(world.group("mine.service", true)->exists());
  // Somebody else's unit of that name is none of ours.
  CHECK(!world.group("mine.service")->exists());
  CHECK(!world.group("far.service", true)->exists());
  CHECK(default_slice({"wg-quick@a.service", false}) == "system.slice/system-wg\\x2dquick.slice");
  CHECK(default_slice({"x.service", true}) == "app.slice");
}

void the_word_of_the_manager_counts() {
  World world;
  world.dir.write("cgroup/cgroup.controllers", "");
  world.folder("cgroup/a.slice/x.service");
  const auto group = world.group("x.service");
  CHECK(group->exists());
  group->settle("/system.slice/x.service");
  group->look();
  CHECK(!group->exists());
  world.folder("cgroup/system.slice/x.service");
  world.until_changes(1);
  group->look();
  CHECK(group->exists());
}

void its_main_process_is_the_oldest_without_a_parent_in_it() {
  World world;
  world.dir.write("cgroup/cgroup.controllers", "");
  world.folder("cgroup/system.slice/x.service/below");
  const auto group = world.group("x.service");
  CHECK(!group->oldest());
  world.dir.write("cgroup/system.slice/x.service/cgroup.procs", "0\n11\n12\n13\n");
  world.dir.write("cgroup/system.slice/x.service/below/cgroup.procs", "14\n");
  // Pids wrap round: the higher number may be the older process.
  world.process(11, 12, 100);
  world.process(12, 1, 100);
  world.process(13, 1, 300);
  world.process(14, 1, 200);
  CHECK(group->oldest()->pid == 12);
  world.process(12, 1, 100, 'Z');
  CHECK(group->oldest()->pid == 11);
  fs::remove_all(world.dir.path() + "/proc/11");
  CHECK(group->oldest()->pid == 14);
}

void its_coming_and_going_is_told() {
  World world;
  world.dir.write("cgroup/cgroup.controllers", "");
  const auto group = world.group("wg@a.service");
  // Folder by folder, as systemd makes them.
  world.folder("cgroup/system.slice");
  world.until_changes(1);
  group->look();
  world.folder("cgroup/system.slice/system-wg.slice");
  world.until_changes(2);
  group->look();
  CHECK(!group->exists());
  world.folder("cgroup/system.slice/system-wg.slice/wg@a.service");
  world.until_changes(3);
  group->look();
  CHECK(group->exists());
  int before = world.changes;
  world.dir.write("cgroup/system.slice/system-wg.slice/wg@a.service/cgroup.events", "populated 1");
  world.until_changes(before + 1);
  before = world.changes;
  fs::remove_all(world.dir.path() + "/cgroup/system.slice/system-wg.slice");
  world.until_changes(before + 1);
  group->look();
  CHECK(!group->exists());
}

void a_start_in_a_group_that_was_there_is_told_and_others_are_not() {
  World world;
  world.dir.write("cgroup/cgroup.controllers", "");
  world.folder("cgroup/system.slice/x.service");
  world.folder("run/systemd/units");
  world.folder("run/user/1000/systemd/units");
  const auto group = world.group("x.service");
  const std::string units = world.dir.path() + "/run/systemd/units/";
  fs::create_symlink("1", units + "invocation:y.service");
  fs::create_symlink("1", world.dir.path() + "/run/user/1000/systemd/units/invocation:x.service");
  world.folder("cgroup/system.slice/y.service");
  fs::create_symlink("1", units + ".#invocation:x.service123");
  fs::rename(units + ".#invocation:x.service123", units + "invocation:x.service");
  world.until_changes(1);
  CHECK(world.changes == 1);
}

}  // namespace

void test_unit_group() {
  it_is_found_in_every_layout();
  it_is_found_in_every_slice();
  the_word_of_the_manager_counts();
  its_main_process_is_the_oldest_without_a_parent_in_it();
  its_coming_and_going_is_told();
  a_start_in_a_group_that_was_there_is_told_and_others_are_not();
}

}  // namespace sockmon
