#include "network/network_thread.h"

#include <fcntl.h>
#include <pthread.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <vector>

#include "base/error.h"
#include "base/thread.h"
#include "base/wakeup.h"
#include "network/netlink.h"

namespace sockmon {
namespace {

constexpr std::chrono::milliseconds kPatience{2000};

/// The calls that wait for the kernel, counted: a long dump is no silence.
class CountedSys final : public Sys {
 public:
  explicit CountedSys(Sys& sys) : sys_(sys) {}

  int socket(int domain, int type, int protocol) override { return sys_.socket(domain, type, protocol); }
  ssize_t send(int fd, const void* data, size_t size, int flags) override {
    return counted(sys_.send(fd, data, size, flags));
  }
  ssize_t recv(int fd, void* data, size_t size, int flags) override { return counted(sys_.recv(fd, data, size, flags)); }
  uint64_t returned() const { return returned_; }

 private:
  ssize_t counted(ssize_t result) {
    // The patience of a socket: the kernel has said nothing.
    if (result >= 0 || errno != EAGAIN) returned_++;
    return result;
  }

  Sys& sys_;
  std::atomic<uint64_t> returned_{0};
};

void fill(NetworkAnswer& answer, Sys& sys, const NetworkQuestion& question) {
  using Kind = NetworkQuestion::Kind;
  switch (question.kind) {
    case Kind::read:
      // Before it is read: what changes meanwhile is heard of, and what is heard twice changes nothing.
      answer.events = open_network_events(sys);
      answer.store = read_network(sys);
      return;
    case Kind::confirm:
      wait_for_changes_under_way(sys);
      answer.store = read_doubtful(sys, question.doubts);
      return;
    case Kind::audit:
      wait_for_changes_under_way(sys);
      answer.store = read_network(sys);
      return;
    case Kind::settle:
    case Kind::sign:
      wait_for_changes_under_way(sys);
      return;
  }
}

NetworkAnswer answer(Sys& sys, const NetworkQuestion& question) {
  NetworkAnswer answer;
  answer.kind = question.kind;
  try {
    fill(answer, sys, question);
  } catch (const Error& error) {
    answer.code = error.code();
    answer.detail = error.what();
  }
  return answer;
}

}  // namespace

/// What both threads use. Kept by the thread too: one that waits for the kernel's lock may outlive everything.
struct NetworkThread::Shared {
  explicit Shared(Sys& sys) : sys(sys) {}

  CountedSys sys;
  Wakeup to_reactor;
  std::mutex mutex;
  std::condition_variable asked;
  std::condition_variable ended;
  std::deque<NetworkQuestion> questions;
  std::vector<NetworkAnswer> answers;
  pthread_t thread{};
  bool started = false;
  bool stopping = false;
  bool gone = false;
};

NetworkThread::NetworkThread(Reactor& reactor, Listener listener, LockLimit limit)
    : shared_(std::make_shared<Shared>(reactor.sys())),
      listener_(std::move(listener)),
      limit_(limit),
      silence_(reactor, [this] { listen(); }) {
  UniqueFd fd(fcntl(shared_->to_reactor.fd(), F_DUPFD_CLOEXEC, 3));
  if (!fd) throw Error::from_errno(errno, "Cannot duplicate a descriptor");
  answers_ = std::make_unique<FdWatch>(reactor, std::move(fd), EPOLLIN, [this](uint32_t) { deliver(); });
}

NetworkThread::~NetworkThread() { stop(); }

void* NetworkThread::thread_main(void* argument) {
  const std::unique_ptr<std::shared_ptr<Shared>> owned(static_cast<std::shared_ptr<Shared>*>(argument));
  Shared& shared = **owned;
  std::unique_lock lock(shared.mutex);
  for (;;) {
    shared.asked.wait(lock, [&] { return shared.stopping || !shared.questions.empty(); });
    if (shared.stopping) break;
    const NetworkQuestion question = std::move(shared.questions.front());
    shared.questions.pop_front();
    lock.unlock();
    NetworkAnswer found = answer(shared.sys, question);
    lock.lock();
    shared.answers.push_back(std::move(found));
    shared.to_reactor.wake();
  }
  shared.gone = true;
  shared.ended.notify_all();
  return nullptr;
}

void NetworkThread::ask(NetworkQuestion question) {
  const std::lock_guard lock(shared_->mutex);
  if (shared_->stopping) return;
  if (!shared_->started) {
    auto self = std::make_unique<std::shared_ptr<Shared>>(shared_);
    shared_->thread = start_thread("sockmon-network", thread_main, self.get());
    [[maybe_unused]] auto* owned_by_the_thread = self.release();
    shared_->started = true;
  }
  shared_->questions.push_back(std::move(question));
  shared_->asked.notify_one();
  if (owed_++ > 0) return;
  parts_left_ = limit_.parts;
  heard_ = shared_->sys.returned();
  silence_.arm(limit_.part_ms);
}

/// A part of the time is over.
void NetworkThread::listen() {
  const uint64_t heard = shared_->sys.returned();
  if (std::exchange(heard_, heard) != heard) {
    parts_left_ = limit_.parts;
  } else if (--parts_left_ <= 0) {
    // From now on the answer itself is waited for.
    return lock_is(true);
  }
  silence_.arm(limit_.part_ms);
}

void NetworkThread::lock_is(bool held) {
  if (std::exchange(is_locked_, held) != held) listener_.locked(held);
}

void NetworkThread::deliver() {
  shared_->to_reactor.clear();
  std::vector<NetworkAnswer> answers;
  {
    const std::lock_guard lock(shared_->mutex);
    answers.swap(shared_->answers);
  }
  if (answers.empty()) return;
  owed_ -= answers.size();
  parts_left_ = limit_.parts;
  heard_ = shared_->sys.returned();
  if (owed_ == 0) silence_.cancel();
  else silence_.arm(limit_.part_ms);
  for (NetworkAnswer& each : answers) listener_.answered(std::move(each));
  // Last: whoever hears of it says what is known by now.
  lock_is(false);
}

void NetworkThread::stop() {
  std::unique_lock lock(shared_->mutex);
  if (std::exchange(shared_->stopping, true) || !shared_->started) return;
  shared_->asked.notify_all();
  const bool is_gone = shared_->ended.wait_for(lock, kPatience, [this] { return shared_->gone; });
  const pthread_t thread = shared_->thread;
  lock.unlock();
  if (is_gone) pthread_join(thread, nullptr);
  else pthread_detach(thread);
}

}  // namespace sockmon
