#include "sensors/connection.h"

#include <algorithm>

#include "base/error.h"

namespace sockmon {
namespace {

/// After a loss or a death, as for a process.
constexpr float kFirstDelayMs = 5;
constexpr float kSlowestDelayMs = 1000;
/// A server that accepts and throws out again is asked less often: each time costs it a connection.
constexpr float kSlowestUnprovenMs = 5000;
/// What has never been seen: each second for a minute, then ever slower.
constexpr double kFirstAbsentMs = 1000;
constexpr double kSlowestAbsentMs = 30'000;
/// Many servers close idle connections each minute: that is told once, and then not every time.
constexpr double kTellAgainMs = 3'600'000;
constexpr uint32_t kHeldEvents = EPOLLIN | EPOLLRDHUP;

double absent_delay_ms(double absent_ms) { return std::clamp(absent_ms / 60, kFirstAbsentMs, kSlowestAbsentMs); }

}  // namespace

SensorKind connection_kind() {
  return {"connection",
          {"to", "silentAfterMs", "connectTimeoutMs", "greeting", "expect"},
          {&kPeerClosed, &kPeerReset, &kRefused, &kSilent, &kClosesAtOnce, &kNoGreeting},
          [](const Fields& fields) { return watch_connection(read_connection_spec(fields)); }};
}

SensorMaker watch_connection(ConnectionSpec spec) {
  auto shared = std::make_shared<const ConnectionSpec>(std::move(spec));
  return [shared = std::move(shared)](const SensorWorld& world, SensorHost& host) -> std::unique_ptr<Sensor> {
    return std::make_unique<ConnectionSensor>(world.reactor, host, shared);
  };
}

ConnectionSensor::ConnectionSensor(Reactor& reactor, SensorHost& host, std::shared_ptr<const ConnectionSpec> spec)
    : reactor_(reactor),
      host_(host),
      spec_(std::move(spec)),
      timer_(reactor, [this] { on_timer(); }),
      delay_ms_(kFirstDelayMs) {}

SensorReport ConnectionSensor::start() {
  since_ms_ = reactor_.sys().boot_ms();
  attempt();
  started_ = true;
  return report(since_ms_);
}

SensorReport ConnectionSensor::snapshot() {
  doubt();
  return report(reactor_.sys().boot_ms());
}

void ConnectionSensor::doubt() {
  if (stage_ == Stage::held) {
    pollfd poll{watch_->fd(), POLLRDHUP, 0};
    if (retry_eintr([&] { return reactor_.sys().poll(&poll, 1, 0); }) > 0) on_held_event(EPOLLRDHUP);
  } else if (stage_ == Stage::waiting && state_ != SensorState::up && unproven_ == 0) {
    delay_ms_ = kFirstDelayMs;
    attempt();
  }
}

void ConnectionSensor::attempt() {
  drop();
  attempt_ms_ = reactor_.sys().boot_ms();
  Attempt attempt = begin_connection(reactor_.sys(), spec_->to);
  if (attempt.error == EINPROGRESS) {
    if (!watch(std::move(attempt.fd), EPOLLOUT)) return;
    stage_ = Stage::connecting;
    timer_.arm(spec_->connect_timeout_ms);
  } else if (attempt.error != 0) {
    fail(attempt.error);
  } else if (watch(std::move(attempt.fd), kHeldEvents)) {
    on_connected();
  }
}

/// False: the epoll set takes no more, and the attempt has failed.
bool ConnectionSensor::watch(UniqueFd fd, uint32_t events) {
  try {
    watch_ = std::make_unique<FdWatch>(reactor_, std::move(fd), events, [this](uint32_t happened) { on_event(happened); });
    return true;
  } catch (const Error& error) {
    fail(error.code() == "ENOSPC" ? ENOSPC : ENOMEM);
    return false;
  }
}

void ConnectionSensor::on_event(uint32_t events) {
  if (stage_ == Stage::held) return on_held_event(events);
  if (stage_ == Stage::expecting) return read_first_words();
  if (stage_ != Stage::connecting) return;
  if (const int error = connection_error(reactor_.sys(), watch_->fd())) return fail(error);
  watch_->set_events(kHeldEvents);
  on_connected();
}

void ConnectionSensor::on_timer() {
  switch (stage_) {
    case Stage::waiting:
      return attempt();
    case Stage::connecting:
      return fail(ETIMEDOUT);
    case Stage::expecting:
      return be_ungreeted();
    case Stage::held:
      return on_proven();
  }
}

void ConnectionSensor::on_connected() {
  if (!greet()) return;
  if (spec_->expect.empty()) return on_accepted();
  stage_ = Stage::expecting;
  first_words_ = std::make_unique<std::string>();
  timer_.arm(std::max(0.0, attempt_ms_ + spec_->connect_timeout_ms - reactor_.sys().boot_ms()));
}

/// False: the connection has ended already, and the attempt has failed.
bool ConnectionSensor::greet() {
  const std::string& greeting = spec_->greeting;
  if (greeting.empty()) return true;
  const ssize_t sent = retry_eintr([&] {
    return reactor_.sys().send(watch_->fd(), greeting.data(), greeting.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  });
  // The buffer of a new connection takes all of it.
  if (sent == static_cast<ssize_t>(greeting.size())) return true;
  be_thrown_out(sent < 0 ? errno : ENOBUFS);
  return false;
}

void ConnectionSensor::read_first_words() {
  char buffer[kFirstWordsBytes];
  std::string& words = *first_words_;
  while (words.size() < kFirstWordsBytes) {
    const ssize_t got = retry_eintr(
        [&] { return reactor_.sys().recv(watch_->fd(), buffer, kFirstWordsBytes - words.size(), MSG_DONTWAIT); });
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) return be_thrown_out(ENOMSG);
    words.append(buffer, static_cast<size_t>(got));
    if (words.find(spec_->expect) != std::string::npos) return on_accepted();
  }
  be_ungreeted();
}

void ConnectionSensor::on_accepted() {
  stage_ = Stage::held;
  first_words_.reset();
  timer_.cancel();
  error_ = 0;
  host_.works();
  if (state_ == SensorState::up || unproven_ > 0) {
    timer_.arm(spec_->proof_ms);
  } else {
    on_proven();
  }
}

void ConnectionSensor::on_proven() {
  unproven_ = 0;
  delay_ms_ = kFirstDelayMs;
  lost_.reset();
  if (!spec_->to.is_unix()) limit_silence(watch_->fd(), spec_->silent_after_ms);
  if (state_ == SensorState::up) return hand_over();
  come_up();
}

void ConnectionSensor::come_up() {
  state_ = SensorState::up;
  reason_ = nullptr;
  since_ms_ = reactor_.sys().boot_ms();
  delay_ms_ = kFirstDelayMs;
  if (started_) host_.report(report(since_ms_));
}

void ConnectionSensor::hand_over() {
  const Loss loss = std::exchange(loss_, Loss::none);
  untold_++;
  if (told_ms_ >= 0 && since_ms_ - told_ms_ < kTellAgainMs) return;
  told_ms_ = since_ms_;
  SensorReport now = report(since_ms_);
  const char* how = loss == Loss::closed ? "the server closed the connection"
                    : loss == Loss::reset ? "the server reset the connection"
                                          : "nothing was heard any more on the connection";
  now.replaced = std::string(how) + " and accepted a new one at once";
  if (untold_ > 1) *now.replaced += " (" + std::to_string(untold_) + " times since this was told last)";
  untold_ = 0;
  host_.report(now);
}

void ConnectionSensor::on_held_event(uint32_t events) {
  const bool is_over = (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
  const std::optional<int> end = is_over ? take_error(reactor_.sys(), watch_->fd()) : read_and_drop(reactor_.sys(), watch_->fd());
  if (!end) return;
  switch (answer_of(*end)) {
    case Answer::accepted:
      return lose(Loss::closed);
    case Answer::none:
    case Answer::unreachable:
      return lose(Loss::silent);
    default:
      return lose(Loss::reset);
  }
}

void ConnectionSensor::lose(Loss loss) {
  if (loss_ != Loss::none || unproven_ > 0) return be_thrown_out(0);
  since_ms_ = reactor_.now_ms();
  loss_ = loss;
  // Whatever the reflex need not wait for comes after the question: each system call here is a cold one, 5 to 20 us.
  lost_watch_ = std::move(watch_);
  attempt();
  if (lost_watch_) lost_ = lost_watch_->release();
  lost_watch_.reset();
}

/// It was accepted, and lost before that could count.
void ConnectionSensor::be_thrown_out(int error) {
  // Closed when the server has been asked again, as the reflex may be waiting for that.
  const std::unique_ptr<FdWatch> thrown_out = std::move(watch_);
  drop();
  error_ = error;
  if (unproven_ < UINT8_MAX) unproven_++;
  if (state_ != SensorState::up) return miss();
  ask_again();
}

/// It has said something else, or nothing for so long.
void ConnectionSensor::be_ungreeted() {
  drop();
  error_ = ENOMSG;
  if (unproven_ < UINT8_MAX) unproven_++;
  if (state_ == SensorState::up) return die(kNoGreeting);
  miss();
}

void ConnectionSensor::ask_again() {
  // The queue of a dying listener accepts for some microseconds: that is over now.
  if (unproven_ == 1) return attempt();
  if (!may_wait()) return die(error_ == ENOMSG ? kNoGreeting : kClosesAtOnce);
  retry_later(kSlowestDelayMs);
}

bool ConnectionSensor::may_wait() const {
  return reactor_.sys().boot_ms() - since_ms_ < spec_->connect_timeout_ms;
}

/// No connection has come about.
void ConnectionSensor::fail(int error) {
  drop();
  error_ = error;
  const Answer answer = answer_of(error);
  if (answer == Answer::own_trouble || answer == Answer::impossible) {
    host_.fault(errno_name(error), trouble_words(error));
  } else {
    host_.works();
  }
  const bool is_open = state_ == SensorState::up || state_ == SensorState::unknown;
  const bool may_change = answer == Answer::own_trouble || answer == Answer::busy;
  // An absence that is our own fault would be told as the death of what was alive before sockmon was restarted.
  const bool is_blind = answer == Answer::own_trouble && state_ == SensorState::unknown;
  if (is_open && may_change && (may_wait() || is_blind)) return retry_later(kSlowestDelayMs);
  if (state_ == SensorState::up) return die(reason_after(error));
  miss();
}

const Reason& ConnectionSensor::reason_after(int error) const {
  const Answer answer = answer_of(error);
  if (answer == Answer::unreachable) return kSilent;
  if (loss_ == Loss::silent) return answer == Answer::refused ? kRefused : kSilent;
  return loss_ == Loss::reset ? kPeerReset : kPeerClosed;
}

/// Not there, and not up before: nobody is told again.
void ConnectionSensor::miss() {
  drop();
  if (state_ == SensorState::down) return retry_later(unproven_ > 0 ? kSlowestUnprovenMs : kSlowestDelayMs);
  const double now_ms = reactor_.sys().boot_ms();
  timer_.arm(absent_delay_ms(now_ms - since_ms_));
  if (state_ == SensorState::absent) return;
  state_ = SensorState::absent;
  if (started_) host_.report(report(now_ms));
}

void ConnectionSensor::die(const Reason& reason) {
  host_.died(reason.nature);
  const UniqueFd lost = lost_watch_ ? lost_watch_->release() : std::move(lost_);
  lost_watch_.reset();
  if (lost && (reason.nature == Nature::exited || reason.nature == Nature::gone)) abort_at_close(lost.get());
  state_ = SensorState::down;
  reason_ = &reason;
  loss_ = Loss::none;
  // What a dying listener has accepted is no mark against its successor.
  if (reason.nature != Nature::broken) unproven_ = 0;
  delay_ms_ = kFirstDelayMs;
  retry_later(kSlowestDelayMs);
  host_.report(report(since_ms_));
}

void ConnectionSensor::drop() {
  watch_.reset();
  first_words_.reset();
  timer_.cancel();
  stage_ = Stage::waiting;
}

void ConnectionSensor::retry_later(double slowest_ms) {
  timer_.arm(delay_ms_);
  delay_ms_ = static_cast<float>(std::min(2.0 * delay_ms_, slowest_ms));
}

SensorReport ConnectionSensor::report(double at_ms) const {
  SensorReport report;
  report.state = state_;
  report.at_ms = at_ms;
  report.reason = reason_;
  if (error_ == ENOMSG) {
    // Of a death the reason says it.
    if (reason_ == nullptr) report.detail = kNoGreeting.words;
  } else if (error_ != 0) {
    report.detail = errno_name(error_);
  }
  return report;
}

}  // namespace sockmon
