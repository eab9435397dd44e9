// What the end of a watched process means: somebody has taken over, or a death.
#include <algorithm>

#include "process/exit_cause.h"
#include "sensors/process.h"

namespace sockmon {
namespace {

/// Within which the end comes of what a restart script has killed without waiting for it.
constexpr double kRestartMs = 10'000;
/// How long a daemon may take until it goes into the background.
constexpr double kForegroundMs = 10'000;
constexpr int kMostHeirs = 5;
/// How long a pidfile may be empty between two writers.
constexpr double kHandOverMs = 250;

bool is_crash(const ExitCause& cause) {
  return cause.known() && !(cause.kind == ExitCause::Kind::exit && cause.value == 0);
}

}  // namespace

void ProcessSensor::find_the_dead() {
  while (const Member* member = members_.ended(reactor_.sys(), context_.proc)) on_end(member->watched.identity);
}

void ProcessSensor::on_end(Identity identity) {
  if (ending_) wait_for_heir(false);
  auto member = members_.take(identity);
  if (!member) return;
  const double at_ms = reactor_.now_ms();
  Ending ending{depart(member->watched, birth_limit_ms(at_ms)), at_ms, member->pidfd->release(), {}, {}};
  // Before Linux 6.15 the status is to be had only until the parent reaps: look before the spawn (20 us).
  if (!context_.exit_info) ending.cause = cause_by_proc(context_.proc, identity);
  const HandOver state = hand_over(ending);
  if (state == HandOver::no) return bury(std::move(ending));
  if (state == HandOver::done) return;
  ending_ = std::make_unique<Ending>(std::move(ending));
  rescan_.arm(kFirstRescanMs);
}

/// Whether somebody has taken over, so that nothing is down. The cause is asked for only where it decides.
ProcessSensor::HandOver ProcessSensor::hand_over(Ending& ending) {
  if (death_) return HandOver::no;
  const Watched& dead = ending.dead.watched;
  Quest quest = this->quest(&ending.dead);
  // A daemon that has gone into the background is its fork. Its pidfile names that one, or none yet.
  const bool is_young = reactor_.sys().boot_ms() - born_ms(dead.identity) < kForegroundMs;
  quest.background = spec_->pidfile.empty() && !dead.idle && is_young && is_orderly(ending);
  Search search = context_.finder.find_heir(*spec_, quest);
  ending.served_by = search.served_by;
  std::string why;
  // Who forks twice leaves one that ends while it is being looked at.
  for (int tries = 1; !search.found.empty(); tries++) {
    if (search.found[0].watched.idle && !is_orderly(ending)) return HandOver::no;
    if (adopt(search.found[0], why)) break;
    if (tries == kMostHeirs) return HandOver::no;
    search = context_.finder.find_heir(*spec_, quest);
  }
  if (search.found.empty())
    return (search.pending && is_orderly(ending)) || may_be_handed_back(ending) ? HandOver::pending : HandOver::no;
  const Found& heir = search.found[0];
  SensorReport now = report();
  if (!search.in_background && !heir.watched.idle && !dead.idle)
    now.replaced = "pid " + std::to_string(dead.identity.pid) + " has ended, after " + heir.words + " had taken over; nothing was down";
  look_again_later();
  if (heir.watched.idle && !ending.cause.known())
    wait_for_cause(ending, [this, dead](ExitCause cause) { learn_of_idle(dead, cause); });
  host_.report(now);
  return HandOver::done;
}

/// An upgrade that is taken back, as nginx does it: the new one ends in order, and a moment later the pidfile names the old one again, which
/// has served all the time.
bool ProcessSensor::may_be_handed_back(Ending& ending) const {
  return predecessor_ && is_orderly(ending) && context_.finder.serves(*spec_, *predecessor_);
}

void ProcessSensor::wait_for_heir(bool may_wait) {
  Ending ending = std::move(*ending_);
  ending_.reset();
  const HandOver state = hand_over(ending);
  if (state == HandOver::done) return;
  may_wait = may_wait && state == HandOver::pending && reactor_.sys().boot_ms() - ending.at_ms < kHandOverMs;
  if (!may_wait) return bury(std::move(ending));
  ending_ = std::make_unique<Ending>(std::move(ending));
  rescan_.arm(kFirstRescanMs);
}

void ProcessSensor::bury(Ending ending) {
  const Identity identity = ending.dead.watched.identity;
  if (!death_) host_.died(kProcessExit.nature);
  learn_cause(ending);
  // What it was at its end, which its zombie still tells.
  if (const auto user = context_.proc.owner(identity.pid)) ending.dead.watched.last_user = user;
  die(ending.dead, ending.at_ms, ending.cause, ending.served_by);
  if (ending.cause.known()) return;
  wait_for_cause(ending, [this, identity](ExitCause cause) {
    if (cause.known()) host_.cause(identity.pid, cause);
  });
}

/// The first one of those that are missing is told; of the others only their successors are sought.
void ProcessSensor::die(const Departed& dead, double at_ms, ExitCause cause, const std::string& served_by) {
  rescan_delay_ms_ = kFirstRescanMs;
  arm_rescan();
  if (death_) return death_->lost.push_back(dead);
  death_ = std::make_unique<Death>(Death{at_ms, dead.watched.identity.pid, cause, served_by, {dead}});
  detail_ = members_.empty() ? "" : "nobody serves " + addresses_words(dead.watched.sockets) + " any more";
  host_.report(report());
}

/// A worker has been left behind that still serves, or does so no more. That one is not the service, and changes nothing else.
void ProcessSensor::serves_on(const std::string& served_by) {
  if (served_by == death_->served_by) return;
  death_->served_by = served_by;
  if (started_) host_.report(report());
}

/// It was taken for an orderly end, with an activator to start the next server. If that has come since, nothing is down either.
void ProcessSensor::learn_of_idle(const Watched& dead, ExitCause cause) {
  const Member* idle = members_.idle();
  if (!is_crash(cause) || idle == nullptr || death_) return;
  members_.take(idle->watched.identity);
  const double at_ms = reactor_.sys().boot_ms();
  host_.died(kProcessExit.nature);
  die(depart(dead, birth_limit_ms(at_ms)), at_ms, cause, "");
}

void ProcessSensor::learn_cause(Ending& ending) const {
  if (!ending.cause.known()) ending.cause = cause_by_pidfd(reactor_.sys(), ending.pidfd.get());
  if (!ending.cause.known()) ending.cause = cause_by_proc(context_.proc, ending.dead.watched.identity);
}

void ProcessSensor::wait_for_cause(Ending& ending, CauseWatches::Done done) {
  if (!cause_watches_) cause_watches_ = std::make_unique<CauseWatches>(reactor_, context_.proc);
  cause_watches_->add(std::move(ending.pidfd), ending.dead.watched.identity, std::move(done));
}

bool ProcessSensor::is_orderly(Ending& ending) const {
  learn_cause(ending);
  return !is_crash(ending.cause);
}

/// Who is born later does not count as one that lived at the death.
double ProcessSensor::birth_limit_ms(double at_ms) const {
  double limit_ms = at_ms;
  if (at_ms - doubted_ms_ <= kOneDeathMs) limit_ms = std::min(limit_ms, doubted_ms_);
  const double run_ms = context_.last_run_ms ? context_.last_run_ms() : 0;
  if (at_ms - run_ms <= kRestartMs) limit_ms = std::min(limit_ms, run_ms);
  return limit_ms;
}

}  // namespace sockmon
