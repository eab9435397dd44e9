#include "network/link_hub.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "network/netlink.h"

namespace sockmon {
namespace {

constexpr double kRetryMs = 1000;
/// Until a question is asked again whose answer was overtaken by changes.
constexpr double kOvertakenMs = 20;
constexpr double kSettleMs = 1000;
/// An answer that is no older says enough about the kernel's lock.
constexpr double kFreshMs = 10'000;
/// Before whoever waits on the reactor has a turn: some 2 us each.
constexpr int kDatagramsATurn = 512;
constexpr int kAll = -1;
/// With more of them whoever observes looks at everything: a list of ten thousand is dearer to search.
constexpr size_t kManyLinks = 1000;
constexpr unsigned kRouting = Change::kRoute | Change::kNexthop | Change::kRule;

}  // namespace

void NetworkChanges::add(const Change& change) {
  what |= change.what;
  if (!change.any() || change.link == 0 || everything || touches(change.link)) return;
  links.push_back(change.link);
  everything = links.size() > kManyLinks;
}

/// From the end: what comes in a row is mostly about the same link.
bool NetworkChanges::touches(int link) const { return std::find(links.rbegin(), links.rend(), link) != links.rend(); }

LinkHub::LinkHub(Reactor& reactor, AuditCadence cadence, LockLimit limit)
    : reactor_(reactor),
      cadence_(cadence),
      retry_(reactor, [this] { ask_read(); }),
      router_(reactor.sys()),
      thread_(reactor,
              {[this](NetworkAnswer&& answer) { on_answer(std::move(answer)); },
               [this](bool) {
                 for (LinkObserver* observer : observers_) observer->on_lock();
               }},
              limit),
      doubt_timer_(reactor, [this] { confirm(); }),
      settle_limit_(reactor, [this] { settled(ticket_); }),
      audit_timer_(reactor, [this] { audit(); }) {}

void LinkHub::subscribe(LinkObserver* observer) {
  observers_.push_back(observer);
  // The others have heard of it already.
  if (failure_) observer->on_hub_fault(failure_->first, failure_->second);
  begin();
}

void LinkHub::unsubscribe(LinkObserver* observer) {
  observers_.erase(std::remove(observers_.begin(), observers_.end(), observer), observers_.end());
  end_unobserved();
}

void LinkHub::end_unobserved() {
  if (!observers_.empty()) return;
  is_wanted_ = false;
  events_.reset();
  for (Timer* timer : {&retry_, &doubt_timer_, &settle_limit_, &audit_timer_}) timer->cancel();
  doubts_ = {};
  failure_.reset();
  knows_ = false;
}

NetworkCounters LinkHub::counters() const {
  const std::lock_guard lock(published_mutex_);
  return published_;
}

void LinkHub::publish() {
  const std::lock_guard lock(published_mutex_);
  published_ = counters_;
}

void LinkHub::on_ready() { take(kDatagramsATurn); }

void LinkHub::refresh() {
  if (events_ && knows_) take(kAll);
}

void LinkHub::take(int datagrams) {
  NetworkChanges changes;
  if (drain(datagrams, changes) == Drained::lost) return ask_read();
  if (!changes.any()) return;
  tell(changes);
  confirm();
}

LinkHub::Drained LinkHub::drain(int datagrams, NetworkChanges& changes) {
  bool lost = false;
  const uint64_t before = counters_.messages;
  const FactSink apply = [&](Fact&& fact) {
    counters_.messages++;
    if (lost) return;
    const Change change = store_.apply(std::move(fact));
    changes.add(change);
    if ((change.what & ~Change::kConfirm) == 0) return;
    counters_.changes++;
    generation_++;
    if ((change.what & kRouting) != 0) route_generation_++;
  };
  Drained drained = Drained::all;
  for (int left = datagrams;; left--) {
    // What was lost is read anew, which is newer than all that waits.
    if (left == 0 && !lost) {
      drained = Drained::some;
      break;
    }
    const ssize_t got = retry_eintr([&] { return reactor_.sys().recv(events_->fd(), buffer_.get(), kEventBufferSize, 0); });
    if (got < 0) {
      if (errno == EAGAIN) break;
      // ENOBUFS: messages were lost, and nothing else will tell. Any other error is as good a reason to look.
      lost = true;
      if (errno != ENOBUFS) break;
      counters_.overflows++;
      continue;
    }
    if (read_messages(buffer_.get(), static_cast<size_t>(got), 0, apply).error != 0) lost = true;
  }
  publish();
  if (counters_.messages != before && !audit_timer_.armed() && !auditing_) audit_timer_.arm(cadence_.every_ms);
  return lost ? Drained::lost : drained;
}

void LinkHub::tell(const NetworkChanges& changes) {
  for (LinkObserver* observer : observers_) observer->on_network(store_, changes);
}

/// What follows by a rule counts at once; the kernel is asked when the change is over that it followed from, one question at a time.
void LinkHub::confirm() {
  doubts_.add(store_.take_doubts());
  if (!doubts_.any() || confirming_ || doubt_timer_.armed()) return;
  confirming_ = true;
  confirm_generation_ = route_generation_;
  doubts_asked_ = std::exchange(doubts_, {});
  counters_.confirmations++;
  publish();
  thread_.ask({NetworkQuestion::Kind::confirm, doubts_asked_});
}

uint64_t LinkHub::settle() {
  // What is asked already may have been answered before the change that this is about.
  ticket_ = settle_asked_ + 1;
  if (settle_asked_ == settle_done_) ask_settle();
  if (!settle_limit_.armed()) settle_limit_.arm(kSettleMs);
  return ticket_;
}

void LinkHub::ask_settle() {
  settle_asked_++;
  thread_.ask({NetworkQuestion::Kind::settle, {}});
}

void LinkHub::settled(uint64_t ticket) {
  for (LinkObserver* observer : observers_) observer->on_settled(store_, ticket);
}

void LinkHub::audit() {
  auditing_ = true;
  audit_generation_ = generation_;
  thread_.ask({NetworkQuestion::Kind::audit, {}});
}

void LinkHub::check_lock() {
  if (!is_wanted_ || thread_.is_asked() || reactor_.sys().boot_ms() < answered_ms_ + kFreshMs) return;
  try {
    thread_.ask({NetworkQuestion::Kind::sign, {}});
  } catch (const Error&) {
    // No thread to be had; it is asked again at the next occasion.
  }
}

void LinkHub::on_answer(NetworkAnswer&& answer) {
  using Kind = NetworkQuestion::Kind;
  answered_ms_ = reactor_.sys().boot_ms();
  switch (answer.kind) {
    case Kind::sign:
      return;
    case Kind::read:
      return on_read(std::move(answer));
    case Kind::settle:
      settle_done_++;
      return on_settle();
    case Kind::confirm:
      confirming_ = false;
      if (take_all()) on_confirmed(std::move(answer));
      return;
    case Kind::audit:
      auditing_ = false;
      if (take_all()) on_audited(std::move(answer));
      return;
  }
}

/// Up to here everything has been told that an answer knows of. False: nothing is known, or everything is read anew, which is newer.
bool LinkHub::take_all() {
  refresh();
  return knows_ && events_ != nullptr;
}

void LinkHub::on_settle() {
  if (!take_all()) {
    is_settle_due_ = knows_;
    return;
  }
  settle_limit_.cancel();
  if (ticket_ > settle_asked_) {
    ask_settle();
    settle_limit_.arm(kSettleMs);
  }
  settled(settle_done_);
}

void LinkHub::on_confirmed(NetworkAnswer&& answer) {
  const bool is_overtaken = confirm_generation_ != route_generation_;
  if (!answer.code.empty() || is_overtaken) {
    doubts_.add(doubts_asked_);
    return doubt_timer_.arm(is_overtaken ? kOvertakenMs : kRetryMs);
  }
  answer.store.add_unread(store_);
  const Differences refuted = compare(store_, answer.store, doubts_asked_);
  if (refuted.sum() != 0) {
    counters_.refuted.add(refuted);
    publish();
    generation_++;
    store_.take_over(answer.store, doubts_asked_);
    NetworkChanges changes;
    changes.what = refuted.what();
    tell(changes);
  }
  confirm();
}

void LinkHub::on_audited(NetworkAnswer&& answer) {
  if (!answer.code.empty() || audit_generation_ != generation_) {
    // Too much goes on: the next message begins the next period.
    if (++audit_tries_ < cadence_.tries) audit_timer_.arm(cadence_.again_ms);
    else audit_tries_ = 0;
    return;
  }
  audit_tries_ = 0;
  answer.store.add_unread(store_);
  const Differences corrected = compare(store_, answer.store);
  if (corrected.sum() != 0 && !std::exchange(audit_suspects_, true)) return audit_timer_.arm(cadence_.recheck_ms);
  audit_suspects_ = false;
  counters_.audits++;
  counters_.corrected.add(corrected);
  publish();
  if (corrected.sum() == 0) return;
  generation_++;
  route_generation_++;
  store_ = std::move(answer.store);
  NetworkChanges changes;
  changes.everything = true;
  tell(changes);
}

}  // namespace sockmon
