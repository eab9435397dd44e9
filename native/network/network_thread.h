// Asks the kernel what may wait for its lock, on a thread of its own: the one that owes reflexes never does.
#pragma once
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/reactor.h"
#include "base/unique_fd.h"
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
    /// Everything, with a socket that has heard of changes since before it was read.
    read,
    /// Whether the kernel answers at all.
    sign,
  };
  Kind kind = Kind::settle;
  Doubts doubts;
};

struct NetworkAnswer {
  NetworkQuestion::Kind kind = NetworkQuestion::Kind::settle;
  NetworkStore store;
  /// With `read`: see open_network_events.
  UniqueFd events;
  /// errno name; "": it has worked.
  std::string code;
  std::string detail;
};

/**
 * When a question that the kernel has not answered means that its networking is locked up: some task holds the lock of all changes (RTNL) and
 * does not give it back. A minute: a driver that waits in vain for its firmware holds it for up to 60 s (the firmware loader's own limit), an
 * `ethtool -t` for some 15 s. A dump that goes on is an answer, however long it takes.
 *
 * In parts, since a machine that was suspended, or a process that was stopped, finds the time over at once: a part in which nothing could
 * happen is one part.
 */
struct LockLimit {
  double part_ms = 15'000;
  int parts = 4;

  double whole_ms() const { return part_ms * parts; }
};

/// Begins with the first question and sleeps while nothing is asked. Used by the reactor's thread, except `stop`.
class NetworkThread {
 public:
  struct Listener {
    std::function<void(NetworkAnswer&&)> answered;
    /// The kernel has not answered for as long as the limit says; with false it does again.
    std::function<void(bool)> locked;
  };

  NetworkThread(Reactor& reactor, Listener listener, LockLimit limit);
  ~NetworkThread();
  NetworkThread(const NetworkThread&) = delete;
  NetworkThread& operator=(const NetworkThread&) = delete;

  /// Questions are answered one after the other, in this order. Throws Error where the thread cannot be started.
  void ask(NetworkQuestion question);
  /// An answer is owed.
  bool is_asked() const { return owed_ > 0; }
  bool is_locked() const { return is_locked_; }
  /// Ends the thread and waits for it, for two seconds at most: the kernel may hold it. Idempotent.
  void stop();

 private:
  struct Shared;

  static void* thread_main(void* argument);
  void deliver();
  void listen();
  void lock_is(bool held);

  const std::shared_ptr<Shared> shared_;
  const Listener listener_;
  const LockLimit limit_;
  std::unique_ptr<FdWatch> answers_;
  size_t owed_ = 0;
  /// Armed while an answer is owed: nobody is woken where nothing is asked.
  Timer silence_;
  int parts_left_ = 0;
  /// How far the thread had come at the begin of this part.
  uint64_t heard_ = 0;
  bool is_locked_ = false;
};

}  // namespace sockmon
