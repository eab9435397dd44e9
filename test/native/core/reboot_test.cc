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
  CHECK(reboot_machine(sys, {20'000, 20'000}, true) == EPERM);
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
  CHECK(reboot_machine(sys, {20, 20'000}, true) == EINVAL);
  CHECK(reboots == 1);
  release.set_value();
  over->get_future().wait();
}

/// A driver that waits for the network's lock in its shutdown.
void a_reboot_that_never_comes_back_ends_in_a_reset_where_that_may_be() {
  for (const bool may_reset : {false, true}) {
    FakeSys sys;
    std::promise<void> release;
    const auto over = std::make_shared<std::promise<void>>();
    sys.on_reboot = [&release, over] {
      release.get_future().wait();
      over->set_value();
      return fail(EPERM);
    };
    int resets = 0;
    sys.on_reset = [&] {
      resets++;
      return fail(EROFS);
    };
    CHECK(reboot_machine(sys, {20'000, 20}, may_reset) == (may_reset ? EROFS : ETIMEDOUT));
    CHECK(resets == (may_reset ? 1 : 0));
    release.set_value();
    over->get_future().wait();
  }
}

void a_reboot_that_is_refused_ends_in_no_reset() {
  FakeSys sys;
  sys.on_reset = [] {
    CHECK(false);
    return 0;
  };
  CHECK(reboot_machine(sys, {20'000, 20'000}, true) == EPERM);
}

}  // namespace

void test_reboot() {
  a_reboot_that_never_comes_back_ends_in_a_reset_where_that_may_be();
  a_reboot_that_is_refused_ends_in_no_reset();
  it_syncs_and_then_reboots();
  a_sync_that_never_ends_does_not_stop_it();
}

}  // namespace sockmon
