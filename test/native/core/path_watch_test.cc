#include "base/path_watch.h"

#include <fcntl.h>

#include <filesystem>
#include <vector>

#include "check.h"

namespace sockmon {
namespace {

struct World {
  TempDir dir;
  FakeSys sys;
  Reactor reactor{sys, no_errors};
  FolderHub hub{reactor};
  std::string folder = dir.path() + "/run/daemon";
  int signs = 0;
  std::unique_ptr<PathWatch> watch;

  std::shared_ptr<const std::string> path() const { return std::make_shared<const std::string>(folder + "/x.pid"); }
  void begin() { watch = std::make_unique<PathWatch>(hub, path(), [this] { signs++; }); }
  /// What the kernel has told by now.
  void hear() {
    const int known = signs;
    run_until(reactor, [&] { return signs > known; });
  }
  /// The folder, and then the file in it.
  void let_come() {
    std::filesystem::create_directory(folder);
    hear();
    dir.write("run/daemon/x.pid", "1");
    hear();
  }
};

void a_file_is_told_in_a_folder_that_is_there() {
  World world;
  std::filesystem::create_directories(world.folder);
  world.begin();
  world.dir.write("run/daemon/y.pid", "1");
  world.dir.write("run/daemon/x.pid", "1");
  world.hear();
  // It was written as well as made; nothing of the other one.
  CHECK(world.signs <= 2);
}

void a_file_is_told_whose_folders_come_later() {
  World world;
  world.begin();
  std::filesystem::create_directory(world.dir.path() + "/run");
  world.hear();
  world.let_come();
}

void folders_that_come_faster_than_they_are_looked_at_are_not_missed() {
  World world;
  world.begin();
  // All of it before the first event is read.
  world.dir.write("run/daemon/x.pid", "1");
  world.hear();
  const int known = world.signs;
  std::filesystem::remove(world.folder + "/x.pid");
  run_until(world.reactor, [&] { return world.signs > known; });
}

void of_a_file_that_is_there_all_is_told_and_nothing_of_its_folder() {
  World world;
  world.dir.write("run/daemon/x.pid", "1");
  world.begin();
  // Its neighbours come first, so that what is told of them would be heard first.
  world.dir.write("run/daemon/y.log", "1");
  world.dir.write("run/daemon/x.pid", "2");
  world.hear();
  // Emptied and written.
  CHECK(world.signs <= 2);
  // It goes while somebody has it open, and comes back.
  const UniqueFd open_fd(open((world.folder + "/x.pid").c_str(), O_RDONLY | O_CLOEXEC));
  std::filesystem::remove(world.folder + "/x.pid");
  world.hear();
  world.dir.write("run/daemon/x.pid", "3");
  world.hear();
  // Another one takes its place, and is watched from then on.
  world.dir.write("run/daemon/x.pid.new", "4");
  std::filesystem::rename(world.folder + "/x.pid.new", world.folder + "/x.pid");
  world.hear();
  world.dir.write("run/daemon/x.pid", "5");
  world.hear();
}

void a_file_that_cannot_be_watched_is_told_by_its_folder() {
  World world;
  world.dir.write("run/daemon/x.pid", "1");
  world.sys.on_inotify_add_watch = [&](const char* path) { return path == *world.path() ? fail(ENOSPC) : FakeSys::kReal; };
  world.begin();
  world.dir.write("run/daemon/x.pid", "2");
  world.hear();
}

void a_thousand_may_watch_one_file() {
  World world;
  world.dir.write("run/daemon/x.pid", "1");
  std::vector<std::unique_ptr<PathWatch>> all(1000);
  int told = 0;
  // Each one that is told ends its neighbour and is made anew.
  for (size_t i = 0; i < all.size(); i++) {
    all[i] = std::make_unique<PathWatch>(world.hub, world.path(), [&, i] {
      told++;
      all[i ^ 1].reset();
      all[i] = std::make_unique<PathWatch>(world.hub, world.path(), [] {});
    });
  }
  std::filesystem::remove(world.folder + "/x.pid");
  run_until(world.reactor, [&] { return told > 0; });
  CHECK(told == 500);
}

void a_folder_that_goes_and_comes_back_is_watched_again() {
  World world;
  std::filesystem::create_directories(world.folder);
  world.begin();
  std::filesystem::remove(world.folder);
  world.hear();
  world.let_come();
}

void a_file_in_the_place_of_a_folder_is_waited_for_to_go() {
  World world;
  world.dir.write("run/daemon", "no folder");
  world.begin();
  std::filesystem::remove(world.folder);
  world.hear();
  world.let_come();
}

void it_may_end_in_its_own_callback() {
  World world;
  std::filesystem::create_directories(world.folder);
  bool told = false;
  world.watch = std::make_unique<PathWatch>(world.hub, world.path(), [&] {
    world.watch.reset();
    told = true;
  });
  world.dir.write("run/daemon/x.pid", "1");
  run_until(world.reactor, [&] { return told; });
}

void without_watches_it_is_silent() {
  World world;
  world.sys.on_inotify_add_watch = [](const char*) { return fail(ENOSPC); };
  world.begin();
  std::filesystem::create_directories(world.folder);
  world.dir.write("run/daemon/x.pid", "1");
  bool is_later = false;
  Timer later(world.reactor, [&] { is_later = true; });
  later.arm(20);
  run_until(world.reactor, [&] { return is_later; });
  CHECK(world.signs == 0);
}

}  // namespace

void test_path_watch() {
  a_file_is_told_in_a_folder_that_is_there();
  a_file_is_told_whose_folders_come_later();
  folders_that_come_faster_than_they_are_looked_at_are_not_missed();
  of_a_file_that_is_there_all_is_told_and_nothing_of_its_folder();
  a_file_that_cannot_be_watched_is_told_by_its_folder();
  a_thousand_may_watch_one_file();
  a_folder_that_goes_and_comes_back_is_watched_again();
  a_file_in_the_place_of_a_folder_is_waited_for_to_go();
  it_may_end_in_its_own_callback();
  without_watches_it_is_silent();
}

}  // namespace sockmon
