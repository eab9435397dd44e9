#include "base/reactor.h"

#include <sys/eventfd.h>

#include <memory>
#include <vector>

#include "base/error.h"
#include "check.h"

namespace sockmon {
namespace {

UniqueFd ready_fd() { return UniqueFd(eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK)); }

void timers_fire_in_order_of_their_deadlines() {
  Reactor reactor(real_sys(), no_errors);
  std::vector<int> fired;
  Timer late(reactor, [&] { fired.push_back(2); });
  Timer early(reactor, [&] { fired.push_back(1); });
  Timer never(reactor, [&] { fired.push_back(3); });
  late.arm(500);
  early.arm(2);
  never.arm(1);
  never.cancel();
  run_until(reactor, [&] { return fired.size() == 2; });
  CHECK((fired == std::vector<int>{1, 2}));
  CHECK(!late.armed() && !never.armed());
}

void a_timer_is_never_early() {
  Reactor reactor(real_sys(), no_errors);
  for (const double delay_ms : {0.0, 0.3, 1.7, 5.0}) {
    bool fired = false;
    Timer timer(reactor, [&] { fired = true; });
    const double from = real_sys().boot_ms();
    timer.arm(delay_ms);
    run_until(reactor, [&] { return fired; });
    CHECK(reactor.now_ms() >= from + delay_ms);
  }
}

void a_timer_may_arm_or_destroy_itself() {
  Reactor reactor(real_sys(), no_errors);
  int rounds = 0;
  Timer again(reactor, [&] {
    if (++rounds < 3) again.arm(1);
  });
  again.arm(1);
  std::unique_ptr<Timer> suicidal;
  suicidal = std::make_unique<Timer>(reactor, [&] { suicidal.reset(); });
  suicidal->arm(1);
  run_until(reactor, [&] { return rounds == 3 && !suicidal; });
}

void a_watch_removed_in_the_same_batch_is_not_called() {
  Reactor reactor(real_sys(), no_errors);
  std::unique_ptr<FdWatch> first, second;
  int calls = 0;
  first = std::make_unique<FdWatch>(reactor, ready_fd(), EPOLLIN, [&](uint32_t) {
    calls++;
    first.reset();
    second.reset();
  });
  second = std::make_unique<FdWatch>(reactor, ready_fd(), EPOLLIN, [&](uint32_t) {
    calls++;
    second.reset();
    first.reset();
  });
  reactor.run_once();
  CHECK(calls == 1 && !first && !second);
}

void a_number_given_anew_in_the_same_batch_is_not_called() {
  Reactor reactor(real_sys(), no_errors);
  std::unique_ptr<FdWatch> watches[2];
  FdWatch* heir = nullptr;
  bool is_heir_called = false;
  // Whichever is called first closes the other and watches one that is not ready, which gets the same number.
  for (const int me : {0, 1}) {
    watches[me] = std::make_unique<FdWatch>(reactor, ready_fd(), EPOLLIN, [&, me](uint32_t) {
      uint64_t count = 0;
      CHECK(read(watches[me]->fd(), &count, sizeof count) == sizeof count);
      auto& other = watches[1 - me];
      const int number = other->fd();
      other.reset();
      UniqueFd fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
      CHECK(fd.get() == number);
      other = std::make_unique<FdWatch>(reactor, std::move(fd), EPOLLIN, [&](uint32_t) { is_heir_called = true; });
      heir = other.get();
    });
  }
  reactor.run_once();
  CHECK(heir != nullptr && !is_heir_called);
  const uint64_t one = 1;
  CHECK(write(heir->fd(), &one, sizeof one) == sizeof one);
  run_until(reactor, [&] { return is_heir_called; });
}

void a_released_descriptor_is_open_and_silent() {
  Reactor reactor(real_sys(), no_errors);
  auto watch = std::make_unique<FdWatch>(reactor, ready_fd(), EPOLLIN, [](uint32_t) { CHECK(false); });
  const UniqueFd fd = watch->release();
  watch.reset();
  uint64_t count = 0;
  CHECK(read(fd.get(), &count, sizeof count) == sizeof count);
  bool fired = false;
  Timer timer(reactor, [&] { fired = true; });
  timer.arm(1);
  run_until(reactor, [&] { return fired; });
}

void an_interrupted_wait_is_no_error() {
  FakeSys sys;
  sys.on_epoll_wait = failing(EINTR, 3);
  Reactor reactor(sys, no_errors);
  bool fired = false;
  Timer timer(reactor, [&] { fired = true; });
  timer.arm(1);
  run_until(reactor, [&] { return fired; });
}

void a_broken_wait_is_thrown_and_a_broken_callback_is_told() {
  FakeSys sys;
  std::string code;
  Reactor reactor(sys, [&](const std::string& error, const std::string&) { code = error; });
  FdWatch watch(reactor, ready_fd(), EPOLLIN, [](uint32_t) { throw Error("ENOBUFS", "made up"); });
  reactor.run_once();
  CHECK(code == "ENOBUFS");
  sys.on_epoll_wait = [] { return fail(EBADF); };
  bool thrown = false;
  try {
    reactor.run_once();
  } catch (const Error& error) {
    thrown = error.code() == "EBADF";
  }
  CHECK(thrown);
}

void a_closed_descriptor_is_refused() {
  Reactor reactor(real_sys(), no_errors);
  bool thrown = false;
  try {
    FdWatch watch(reactor, UniqueFd(), EPOLLIN, [](uint32_t) {});
  } catch (const Error& error) {
    thrown = error.code() == "EBADF";
  }
  CHECK(thrown);
}

}  // namespace

void test_reactor() {
  timers_fire_in_order_of_their_deadlines();
  a_timer_is_never_early();
  a_timer_may_arm_or_destroy_itself();
  a_watch_removed_in_the_same_batch_is_not_called();
  a_number_given_anew_in_the_same_batch_is_not_called();
  a_released_descriptor_is_open_and_silent();
  an_interrupted_wait_is_no_error();
  a_broken_wait_is_thrown_and_a_broken_callback_is_told();
  a_closed_descriptor_is_refused();
}

}  // namespace sockmon
