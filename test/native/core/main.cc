#include <signal.h>

#include <filesystem>

#include "check.h"

namespace sockmon {

TempDir::~TempDir() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string TempDir::write(const std::string& name, const std::string& text) const {
  const std::string path = path_ + "/" + name;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream(path, std::ios::binary) << text;
  return path;
}

}  // namespace sockmon

#ifdef __SANITIZE_THREAD__
// An exception that crosses threads is counted inside of libstdc++.so, which is not instrumented: its last release looks
// like a race with whoever has read it.
extern "C" const char* __tsan_default_suppressions() { return "race:std::__exception_ptr::exception_ptr::_M_release"; }
#endif

int main(int argc, char** argv) {
  // What is still in the buffer at a fork would be written twice: ThreadSanitizer's _exit() flushes it.
  setvbuf(stdout, nullptr, _IOLBF, 0);
  // As in Node.
  signal(SIGPIPE, SIG_IGN);
  struct {
    const char* name;
    void (*run)();
  } const tests[] = {
      {"basics", sockmon::test_basics},
      {"reactor", sockmon::test_reactor},
      {"proc_fs", sockmon::test_proc_fs},
      {"process_name", sockmon::test_process_name},
      {"successor", sockmon::test_successor},
      {"turns", sockmon::test_turns},
      {"holders", sockmon::test_holders},
      {"sock_diag", sockmon::test_sock_diag},
      {"process_finder", sockmon::test_process_finder},
      {"roll", sockmon::test_roll},
      {"census", sockmon::test_census},
      {"identity", sockmon::test_identity},
      {"listen", sockmon::test_listen},
      {"netlink", sockmon::test_netlink},
      {"network_store", sockmon::test_network_store},
      {"network_property", sockmon::test_network_property},
      {"link_judge", sockmon::test_link_judge},
      {"uplink_table", sockmon::test_uplink_table},
      {"link_hub", sockmon::test_link_hub},
      {"kernel_lock", sockmon::test_kernel_lock},
      {"stack", sockmon::test_stack},
      {"output", sockmon::test_output},
      {"run", sockmon::test_run},
      {"adopt", sockmon::test_adopt},
      {"process_sensor", sockmon::test_process_sensor},
      {"connection", sockmon::test_connection},
      {"hand_over", sockmon::test_hand_over},
      {"monitor", sockmon::test_monitor},
      {"folder_hub", sockmon::test_folder_hub},
      {"path_watch", sockmon::test_path_watch},
      {"unit_group", sockmon::test_unit_group},
      {"unit", sockmon::test_unit},
      {"notify", sockmon::test_notify},
      {"reboot", sockmon::test_reboot},
      {"write_now", sockmon::test_write_now},
  };
  bool is_known = argc == 1;
  for (const auto& test : tests) {
    if (argc > 1 && std::string(argv[1]) != test.name) continue;
    is_known = true;
    test.run();
    printf("ok %s\n", test.name);
  }
  if (!is_known) fprintf(stderr, "There is no test %s\n", argv[1]);
  return is_known ? 0 : 64;
}
