#include "network/network_thread.h"

#include <fcntl.h>
#include <pthread.h>

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

NetworkAnswer answer(Sys& sys, const NetworkQuestion& question) {
  NetworkAnswer answer;
  answer.kind = question.kind;
  try {
    wait_for_changes_under_way(sys);
    if (question.kind == NetworkQuestion::Kind::confirm) {
      answer.store = read_doubtful(sys, question.doubts);
    } else if (question.kind == NetworkQuestion::Kind::audit) {
      answer.store = read_network(sys);
    }
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

  Sys& sys;
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

NetworkThread::NetworkThread(Reactor& reactor, std::function<void(NetworkAnswer&&)> answered)
    : shared_(std::make_shared<Shared>(reactor.sys())), answered_(std::move(answered)) {
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
}

void NetworkThread::deliver() {
  shared_->to_reactor.clear();
  std::vector<NetworkAnswer> answers;
  {
    const std::lock_guard lock(shared_->mutex);
    answers.swap(shared_->answers);
  }
  for (NetworkAnswer& each : answers) answered_(std::move(each));
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
