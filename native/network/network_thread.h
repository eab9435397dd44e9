// Asks the kernel what may wait for its lock, on a thread of its own: the one that owes reflexes never does.
#pragma once
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/reactor.h"
#include "network/store.h"

namespace sockmon {

/// What is asked. Every answer comes after the changes that were under way when it was asked.
struct NetworkQuestion {
  enum class Kind {
    /// Nothing but that: changes under way are over.
    settle,
    /// `doubts`, and nothing else.
    confirm,
    /// Everything.
    audit,
  };
  Kind kind = Kind::settle;
  Doubts doubts;
};

struct NetworkAnswer {
  NetworkQuestion::Kind kind = NetworkQuestion::Kind::settle;
  NetworkStore store;
  /// errno name; "": it has worked.
  std::string code;
  std::string detail;
};

/// Begins with the first question and sleeps while nothing is asked. Used by the reactor's thread, except `stop`.
class NetworkThread {
 public:
  NetworkThread(Reactor& reactor, std::function<void(NetworkAnswer&&)> answered);
  ~NetworkThread();
  NetworkThread(const NetworkThread&) = delete;
  NetworkThread& operator=(const NetworkThread&) = delete;

  /// Questions are answered one after the other, in this order.
  void ask(NetworkQuestion question);
  /// Ends the thread and waits for it, for two seconds at most: the kernel may hold it. Idempotent.
  void stop();

 private:
  struct Shared;

  static void* thread_main(void* argument);
  void deliver();

  const std::shared_ptr<Shared> shared_;
  const std::function<void(NetworkAnswer&&)> answered_;
  std::unique_ptr<FdWatch> answers_;
};

}  // namespace sockmon
