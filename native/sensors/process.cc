#include "sensors/process.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace sockmon {
namespace {

/// Looks that follow each other ever slower, from the first sight of a death on; afterwards the census tells what comes.
constexpr double kQuickRescansMs = 1000;
/// Where there is no census, and for what was found but cannot be watched.
constexpr double kSlowestRescanMs = 1000;
/// While nobody serves, and an activator would start a server: a crash of one that lives for less is not seen.
constexpr double kIdleRescanMs = 5000;

}  // namespace

ProcessSensor::ProcessSensor(Reactor& reactor, SensorHost& host, const ProcessContext& context,
                             std::shared_ptr<const ProcessSpec> spec)
    : reactor_(reactor),
      host_(host),
      context_(context),
      spec_(std::move(spec)),
      members_(reactor, context.finder, [this](Identity identity) { on_end(identity); }),
      rescan_(reactor, [this] { on_alarm(); }) {}

SensorReport ProcessSensor::start() {
  const bool is_found = search(everything());
  started_ = true;
  if (!is_found && (must_retry_ || !waits_for_the_seeker())) look_again_soon();
  else if (!is_found) seek();
  return report();
}

SensorReport ProcessSensor::snapshot() {
  find_the_dead();
  if (ending_) wait_for_heir(true);
  if (state() != SensorState::up && !searching_) search(everything());
  SensorReport now = report();
  now.at_ms = reactor_.sys().boot_ms();
  return now;
}

void ProcessSensor::doubt() {
  const double now_ms = reactor_.sys().boot_ms();
  if (now_ms - doubted_ms_ > kOneDeathMs) doubted_ms_ = now_ms;
  find_the_dead();
  if (ending_) wait_for_heir(false);
  if (searching_ || state() == SensorState::up) return;
  // The interface is back, so its process is: now, and not when the back-off says so (it made 14 to 59 ms of 10).
  rescan_delay_ms_ = kFirstRescanMs;
  look_around();
}

bool ProcessSensor::kill() {
  // Never the activator: that is another service.
  const Member* server = members_.server();
  if (server == nullptr) return false;
  if (reactor_.sys().pidfd_send_signal(server->pidfd->fd(), SIGKILL) == 0) return true;
  if (errno == ESRCH) return false;
  throw Error::from_errno(errno, "Cannot kill process " + std::to_string(server->watched.identity.pid));
}

void ProcessSensor::on_alarm() {
  // An exception must not leave the timer unarmed: that would end the search for good.
  rescan_.arm(kSlowestRescanMs);
  if (ending_) return wait_for_heir(true);
  if (heed_pidfile()) return;
  look_around();
}

/// What takes long is left to the census.
void ProcessSensor::look_around() {
  Quest at_hand = everything();
  // One that was found by its name or its pidfile is looked at, and no other is looked for.
  const bool is_settled = !death_ && members_.server() != nullptr && !spec_->listen;
  if (waits_for_the_seeker() && !is_settled) {
    seek();
    at_hand.pidfile_only = true;
    const bool is_found = !spec_->pidfile.empty() && search(at_hand);
    if (is_found) return;
    const bool is_review = !death_ && !members_.empty();
    if (is_review) rescan_.arm(kSlowestRescanMs);
    else look_again_soon();
    if (spec_->pidfile.empty() || spec_->listen) seeker_->look();
  } else if (!search(at_hand)) {
    look_again_soon();
  }
}

/// From now on it is told what may have come.
void ProcessSensor::seek() {
  if (seeker_ || !waits_for_the_seeker()) return;
  seeker_ = std::make_unique<Seeker>(*context_.census, context_.folders, spec_, [this](const Roll* roll) {
    if (searching_ || ending_) return;
    if (roll == nullptr) {
      rescan_delay_ms_ = kFirstRescanMs;
      return look_around();
    }
    Quest scope;
    scope.roll = roll;
    if (search(scope) || !must_retry_) return;
    // execve(2) takes a moment only, while who cannot be watched now can hardly be so in 5 ms.
    if (is_unsettled_) rescan_delay_ms_ = kFirstRescanMs;
    look_again_soon();
  });
}

bool ProcessSensor::search(const Quest& scope) {
  // An exception must not leave the flag set: that would end the search for good.
  struct Flag {
    explicit Flag(bool& flag) : flag(flag) { flag = true; }
    ~Flag() { flag = false; }
    bool& flag;
  } searching(searching_);
  must_retry_ = is_unsettled_ = false;
  if (spec_->user && !spec_->user->id) {
    ProcessSpec spec = *spec_;
    spec.user->id = find_user(spec.user->text);
    if (spec.user->id) spec_ = std::make_shared<const ProcessSpec>(std::move(spec));
  }
  return death_ ? look_for_successors(scope) : look_for_more(scope);
}

bool ProcessSensor::look_for_successors(const Quest& scope) {
  auto& lost = death_->lost;
  std::string served_by;
  for (auto dead = lost.begin(); dead != lost.end();) {
    const Search search = context_.finder.find(*spec_, quest(&*dead, scope));
    std::string why = search.why_not;
    if (!search.fault.empty()) host_.fault(search.fault, why);
    is_unsettled_ = is_unsettled_ || search.unsettled;
    must_retry_ = must_retry_ || search.unsettled;
    const bool is_back = !search.found.empty() && adopt(search.found[0], why);
    if (dead == lost.begin() && !is_back) served_by = search.served_by;
    dead = is_back ? lost.erase(dead) : std::next(dead);
  }
  if (!lost.empty()) {
    // In the pidfile nobody sees who holds the socket.
    if (!scope.pidfile_only) serves_on(served_by);
    return false;
  }
  death_.reset();
  rivals_are("");
  look_again_later();
  if (started_) host_.report(report());
  return true;
}

bool ProcessSensor::look_for_more(const Quest& scope) {
  members_.renew_origin(context_.proc);
  if (members_.server() != nullptr && !spec_->listen) {
    look_again_later();
    return true;
  }
  const SensorReport before = report();
  const Search search = context_.finder.find(*spec_, quest(nullptr, scope));
  must_retry_ = is_unsettled_ = search.unsettled;
  // Among the living only the socket counts, and in the pidfile nobody looks for that.
  if (scope.pidfile_only && search.found.empty() && !members_.empty()) return false;
  for (const Found& found : search.found) merge(found);
  if (members_.empty()) {
    // Where the pidfile does not help the socket may.
    if (scope.pidfile_only && spec_->listen && search.found.empty()) return false;
    if (!search.fault.empty()) host_.fault(search.fault, search.why_not);
    else if (search.found.empty()) host_.works();
    if (search.found.empty()) detail_ = search.why_not;
    return false;
  }
  rivals_are(search.rivals);
  look_again_later();
  const SensorReport now = report();
  const bool is_news = before.state != now.state || before.pid != now.pid || before.detail != now.detail;
  if (started_ && is_news) host_.report(now);
  return true;
}

/// What a look at the living has found: one that is known, the server that an activator has started meanwhile, or one more.
void ProcessSensor::merge(const Found& found) {
  if (members_.renew(found)) return;
  // Who is named beside a living one has a second to prove itself first.
  if (found.watched.pidfile.known() && members_.server() != nullptr) return;
  const Member* rival = members_.overlapping(found);
  if (rival != nullptr && !rival->watched.idle) return;
  const auto idle = rival == nullptr ? std::nullopt : std::optional(rival->watched.identity);
  std::string why;
  if (!adopt(found, why)) detail_ = std::move(why);
  else if (idle) members_.take(*idle);
}

bool ProcessSensor::adopt(const Found& found, std::string& why) {
  Adoption adoption = members_.adopt(found);
  if (!adoption.done) {
    why = std::move(adoption.why);
    must_retry_ = true;
    if (!adoption.fault.empty()) host_.fault(adoption.fault, adoption.fault_detail);
    return false;
  }
  reviews_ = 0;
  const auto& activator = found.watched.activator;
  if (activator && std::find(activators_.begin(), activators_.end(), *activator) == activators_.end())
    activators_.push_back(*activator);
  return true;
}

void ProcessSensor::rivals_are(const std::string& rivals) {
  detail_ = rivals.empty() ? "" : "the oldest of several: " + rivals;
  if (rivals.empty()) return host_.works();
  host_.fault("ENOTUNIQ", "Several processes fit: " + rivals + ". Only the first of them, the oldest, is watched; say which one is meant " +
                              "by pidfile, listen, command or user.");
}

void ProcessSensor::look_again_soon() {
  seek();
  const bool is_over = rescan_delay_ms_ > kQuickRescansMs;
  if (is_over && waits_for_the_seeker() && !must_retry_) {
    looking_.reset();
    return rescan_.cancel();
  }
  arm_rescan();
  if (!is_over) rescan_delay_ms_ *= 2;
}

void ProcessSensor::arm_rescan() {
  if (!looking_) looking_.emplace(context_.lookers);
  const double crowd_ms = context_.lookers == nullptr ? 0 : kCrowdMs * static_cast<double>(*context_.lookers);
  rescan_delay_ms_ = std::max(rescan_delay_ms_, crowd_ms);
  rescan_.arm(std::min(rescan_delay_ms_, kSlowestRescanMs));
}

void ProcessSensor::look_again_later() {
  looking_.reset();
  rescan_delay_ms_ = kFirstRescanMs;
  rescan_.cancel();
  seeker_.reset();
  listen_to_pidfile();
  std::optional<double> delay_ms;
  const bool may_be_joined = spec_->listen && !spec_->listen->address && spec_->listen->kind != ListenSpec::Kind::unix_path;
  if (reviews_ < (may_be_joined ? kMostReviews : 1)) delay_ms = kFirstReviewMs * std::pow(kReviewFactor, reviews_);
  else if (members_.idle() != nullptr) delay_ms = kIdleRescanMs;
  if (named_ && named_->looks < kMostReviews) {
    const double named_ms = std::max(named_->due_ms - reactor_.sys().boot_ms(), 0.0);
    delay_ms = std::min(delay_ms.value_or(named_ms), named_ms);
  }
  if (delay_ms) rescan_.arm(*delay_ms);
  reviews_++;
}

/// Through all processes: by what the census has lent, or else at once.
Quest ProcessSensor::everything() const {
  Quest scope;
  if (context_.census != nullptr) scope.roll = context_.census->lent();
  return scope;
}

Quest ProcessSensor::quest(const Departed* dead, const Quest& scope) const {
  Quest quest = scope;
  quest.dead = dead;
  quest.watched = members_.servers();
  quest.activators = activators_;
  quest.predecessor = predecessor_.get();
  return quest;
}

SensorState ProcessSensor::state() const {
  if (death_) return SensorState::down;
  return members_.empty() && !ending_ ? SensorState::absent : SensorState::up;
}

SensorReport ProcessSensor::report() const {
  SensorReport report;
  report.state = state();
  report.at_ms = death_ ? death_->at_ms : reactor_.sys().boot_ms();
  report.detail = detail_;
  if (death_) {
    report.reason = &kProcessExit;
    report.cause = death_->cause;
    report.pid = death_->pid;
    if (!death_->served_by.empty()) report.served_by = death_->served_by;
  } else if (report.state == SensorState::up) {
    if (const Member* server = members_.server()) report.pid = server->watched.identity.pid;
    else if (ending_) report.pid = ending_->dead.watched.identity.pid;
    if (detail_.empty()) report.detail = members_.words(context_.proc);
  }
  return report;
}

}  // namespace sockmon
