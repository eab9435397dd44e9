#include "base/folder_hub.h"

#include <unistd.h>

#include <filesystem>

#include "base/error.h"
#include "check.h"

namespace sockmon {
namespace {

namespace fs = std::filesystem;

struct World {
  FakeSys sys;
  TempDir dir;
  Reactor reactor{sys, no_errors};
  FolderHub hub{reactor};
  std::vector<std::string> heard;

  std::unique_ptr<FolderHub::Watch> listen(const std::string& who = "", const std::string& folder = "") {
    return hub.watch(dir.path() + folder, [this, who](const std::string& name) { heard.push_back(who + name); });
  }
  void until_heard(const std::string& what) {
    run_until(reactor, [&] { return std::find(heard.begin(), heard.end(), what) != heard.end(); });
  }
};

void what_comes_goes_and_is_written_is_told() {
  World world;
  const auto watch = world.listen();
  fs::create_directory(world.dir.path() + "/come");
  world.until_heard("come");
  world.heard.clear();
  fs::remove(world.dir.path() + "/come");
  world.until_heard("come");
  world.dir.write("written", "1");
  world.heard.clear();
  world.dir.write("written", "2");
  world.until_heard("written");
  fs::create_symlink("x", world.dir.path() + "/.tmp");
  fs::rename(world.dir.path() + "/.tmp", world.dir.path() + "/moved");
  world.until_heard("moved");
}

void two_may_watch_one_folder_and_one_may_leave() {
  World world;
  auto first = world.listen("1:");
  const auto second = world.listen("2:");
  first.reset();
  world.dir.write("a", "");
  world.until_heard("2:a");
  CHECK(std::find(world.heard.begin(), world.heard.end(), "1:a") == world.heard.end());
  first = world.listen("1:");
  world.dir.write("b", "");
  world.until_heard("1:b");
  world.until_heard("2:b");
}

void the_end_of_the_folder_is_told_and_it_can_be_watched_anew() {
  World world;
  fs::create_directory(world.dir.path() + "/in");
  auto watch = world.listen("", "/in");
  fs::remove(world.dir.path() + "/in");
  world.until_heard("");
  CHECK(fs::create_directory(world.dir.path() + "/in"));
  watch = world.listen("", "/in");
  world.dir.write("in/new", "");
  world.until_heard("new");
}

void a_callback_may_end_its_watch_and_those_of_others() {
  World world;
  std::unique_ptr<FolderHub::Watch> first, second;
  int calls = 0;
  const auto end_all = [&](const std::string&) {
    calls++;
    first.reset();
    second.reset();
  };
  first = world.hub.watch(world.dir.path(), end_all);
  second = world.hub.watch(world.dir.path(), end_all);
  world.dir.write("a", "");
  run_until(world.reactor, [&] { return calls > 0; });
  world.dir.write("b", "");
  const auto last = world.listen();
  world.dir.write("c", "");
  world.until_heard("c");
  CHECK(calls == 1);
}

void what_the_kernel_refuses_is_an_error() {
  World world;
  CHECK(code_of([&] { world.listen("", "/nowhere"); }) == "ENOENT");
  world.dir.write("file", "");
  CHECK(code_of([&] { world.listen("", "/file"); }) == "ENOTDIR");
  world.sys.on_inotify_add_watch = [](const char*) { return fail(ENOSPC); };
  CHECK(code_of([&] { world.listen(); }) == "ENOSPC");
}

}  // namespace

void test_folder_hub() {
  what_comes_goes_and_is_written_is_told();
  two_may_watch_one_folder_and_one_may_leave();
  the_end_of_the_folder_is_told_and_it_can_be_watched_anew();
  a_callback_may_end_its_watch_and_those_of_others();
  what_the_kernel_refuses_is_an_error();
}

}  // namespace sockmon
