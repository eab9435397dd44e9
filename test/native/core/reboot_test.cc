// The last resort, at the seam: FakeSys never reboots anything.
#include "system/reboot.h"

#include <atomic>
#include <future>
#include <memory>

#include "check.h"

namespace sockmon {
namespace {

void it_syncs_and_then_reboots() {
  FakeSys sys;
  std::string order;
  sys.on_sync = [&] { order += "sync "; };
  sys.on_reboot = [&] {
    order += "reboot";
    return fail(EPERM);
  };
  CHECK(reboot_machine(sys, 20'000) == EPERM);
  CHECK(order == "sync reboot");
}

void a_sync_that_never_ends_does_not_stop_it() {
  FakeSys sys;
  std::promise<void> release;
  // The thread may still be leaving set_value when this function is over.
  const auto over = std::make_shared<std::promise<void>>();
  std::atomic<bool> synced{false};
  sys.on_sync = [&release, &synced, over] {
    release.get_future().wait();
    synced = true;
    over->set_value();
  };
  std::atomic<int> reboots{0};
  sys.on_reboot = [&] {
    CHECK(!synced);
    reboots++;
    return fail(EINVAL);
  };
  CHECK(reboot_machine(sys, 20) == EINVAL);
  CHECK(reboots == 1);
  release.set_value();
  over->get_future().wait();
}

}  // namespace

void test_reboot() {
  it_syncs_and_then_reboots();
  a_sync_that_never_ends_does_not_stop_it();
}

}  // namespace sockmon
