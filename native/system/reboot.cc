#include "system/reboot.h"

#include <chrono>
#include <future>
#include <memory>
#include <system_error>
#include <thread>

namespace sockmon {

int reboot_machine(Sys& sys, double sync_limit_ms) {
  try {
    auto synced = std::make_shared<std::promise<void>>();
    std::future<void> done = synced->get_future();
    std::thread([&sys, synced = std::move(synced)] {
      sys.sync();
      synced->set_value();
    }).detach();
    done.wait_for(std::chrono::duration<double, std::milli>(sync_limit_ms));
  } catch (const std::system_error&) {
    // No thread to be had: better without a sync than not at all.
  }
  return sys.reboot() == 0 ? 0 : errno;
}

}  // namespace sockmon
