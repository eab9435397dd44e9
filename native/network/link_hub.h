// The one netlink socket of a monitor: its messages feed the store, and who observes hears of what they have changed.
#pragma once
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/reactor.h"
#include "network/audit.h"
#include "network/lookup.h"
#include "network/network_thread.h"
#include "network/store.h"

namespace sockmon {

/// What has changed since the observers were told last.
struct NetworkChanges {
  /// Bits of Change.
  unsigned what = Change::kNothing;
  /// The links that it was about.
  std::vector<int> links;
  /// Everything may have: it was read anew, or too much was told.
  bool everything = false;

  void add(const Change& change);
  bool any() const { return everything || what != Change::kNothing; }
  bool touches(int link) const;
};

class LinkObserver {
 public:
  virtual ~LinkObserver() = default;
  virtual void on_network(const NetworkStore& network, const NetworkChanges& changes) = 0;
  /// See LinkHub::settle.
  virtual void on_settled(const NetworkStore& network, uint64_t ticket) { (void)network, (void)ticket; }
  /// The kernel does not tell: what is known is as old as it was.
  virtual void on_hub_fault(const std::string& code, const std::string& detail) = 0;
  /// LinkHub::is_locked has changed.
  virtual void on_lock() {}
};

/// What the hub has done and found, since it began.
struct NetworkCounters {
  uint64_t messages = 0;
  /// Of them, those that have changed something.
  uint64_t changes = 0;
  /// Everything was read: at the start, and where messages were lost.
  uint64_t reads = 0;
  uint64_t overflows = 0;
  /// What followed by a rule was asked for, and where the kernel said otherwise.
  uint64_t confirmations = 0;
  Differences refuted;
  /// Everything was read and compared, and what the store had wrong.
  uint64_t audits = 0;
  Differences corrected;
};

/// When the store is compared with a dump.
struct AuditCadence {
  /// After the first message since the last audit. An idle machine is not woken.
  double every_ms = 300'000;
  /// Where something has changed during the dump, so that nothing can be said.
  double again_ms = 10'000;
  int tries = 3;
  /// What differs must differ twice: a dump shows some things before they are told (the end of duplicate detection, and a carrier, which the
  /// kernel tells of for a hundred devices a second, those of all namespaces together).
  double recheck_ms = 10'000;
};

class LinkHub {
 public:
  explicit LinkHub(Reactor& reactor, AuditCadence cadence = {}, LockLimit limit = {});

  /// Has everything read on the other thread, unless that has been done or is under way: `knows` says when it is. Where it fails it is tried
  /// again every second.
  void begin();
  /// From another thread than the reactor's: waits until what `begin` has asked for is answered, two seconds at most since it was asked for.
  void wait_for_begin() const;
  /// As for the last observer that goes, where there has been none.
  void end_unobserved();
  /// Begins. What is read later is told by `on_network`; where it has failed the observer hears of the fault before this returns.
  void subscribe(LinkObserver* observer);
  void unsubscribe(LinkObserver* observer);
  /// Takes what is waiting on the socket, and tells the observers of what that has changed.
  void refresh();
  /**
   * Changes that are under way in the kernel are waited for, and observers hear by `on_settled` with this ticket or a later one when the store
   * knows what they told: a device that is down may be about to be deleted. A kernel that holds its lock for a second is not waited for.
   */
  uint64_t settle();
  /**
   * Asks the kernel for a sign of life, unless it has answered a moment ago or owes an answer: where something is amiss, or the machine is awake
   * anyway. Costs the other thread 6 us (median).
   */
  void check_lock();
  /// The kernel has owed an answer for as long as LockLimit says: its networking is locked up, so that nothing of it can be changed or asked.
  bool is_locked() const { return thread_.is_locked(); }
  /// Messages, or the loss of some, are waiting on the socket.
  void on_ready();
  /// The state has been read since somebody subscribed.
  bool knows() const { return knows_; }
  const NetworkStore& network() const { return store_; }
  /// From any thread.
  NetworkCounters counters() const;
  Router& router() { return router_; }
  /// From any thread, once the reactor turns no more.
  void stop() { thread_.stop(); }

 private:
  enum class Drained { all, some, lost };
  static constexpr size_t kEventBufferSize = 32 << 10;

  void publish();

  void ask_read();
  void on_read(NetworkAnswer&& answer);
  void fail_to_read(const std::string& code, const std::string& detail);
  void begin_is_answered();
  Drained drain(int datagrams, NetworkChanges& changes);
  void take(int datagrams);
  void tell(const NetworkChanges& changes);
  void confirm();
  void ask_settle();
  void settled(uint64_t ticket);
  void audit();
  void on_answer(NetworkAnswer&& answer);
  bool take_all();
  void on_settle();
  void on_confirmed(NetworkAnswer&& answer);
  void on_audited(NetworkAnswer&& answer);

  Reactor& reactor_;
  const AuditCadence cadence_;
  std::unique_ptr<FdWatch> events_;
  std::unique_ptr<char[]> buffer_;
  Timer retry_;
  NetworkStore store_;
  KernelRouter router_;
  bool knows_ = false;
  /// Somebody observes, or is about to.
  bool is_wanted_ = false;
  /// Everything is being read; nothing is heard meanwhile, since the socket of before has lost messages.
  bool is_reading_ = false;
  /// Why the last reading failed.
  std::optional<std::pair<std::string, std::string>> failure_;
  std::vector<LinkObserver*> observers_;
  NetworkCounters counters_;
  mutable std::mutex published_mutex_;
  NetworkCounters published_;
  mutable std::condition_variable begun_;
  bool is_begin_answered_ = true;
  double begin_asked_ms_ = 0;
  double answered_ms_ = 0;

  NetworkThread thread_;
  /// Counts changes, so that an answer can be dropped that is older than what is known by now.
  uint64_t generation_ = 0, route_generation_ = 0;

  Doubts doubts_, doubts_asked_;
  bool confirming_ = false;
  uint64_t confirm_generation_ = 0;
  Timer doubt_timer_;

  /// The last ticket that was given, and the last question that was asked.
  uint64_t ticket_ = 0, settle_asked_ = 0, settle_done_ = 0;
  /// Its answer came while everything was being read.
  bool is_settle_due_ = false;
  Timer settle_limit_;

  Timer audit_timer_;
  bool auditing_ = false, audit_suspects_ = false;
  int audit_tries_ = 0;
  uint64_t audit_generation_ = 0;
};

}  // namespace sockmon
