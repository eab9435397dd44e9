#include "sensors/unit.h"

#include <signal.h>

#include <algorithm>

#include "base/error.h"
#include "process/exit_cause.h"

namespace sockmon {
namespace {

/// The living process with this pid; nothing for one that is dead or dying.
std::optional<Identity> living(const ProcFs& proc, pid_t pid) {
  const auto stat = proc.stat(pid);
  if (!stat || stat->dead || (stat->exiting && proc.is_exiting(pid))) return std::nullopt;
  return Identity{pid, stat->start_ticks};
}

/// So long an answer of systemd is waited for: it takes 10 to 50 ms, a busy PID 1 included.
constexpr double kAnswerMs = 2000;
constexpr double kFirstLookMs = 5;
constexpr double kSlowestLookMs = 1000;
const std::vector<const char*> kAdvice = {"state",    "pid",        "withinMs",   "words", "reason", "exitCode", "exitSignal", "coreDumped",
                                          "graceMs", "stopSignal", "place", "fault", "faultCode", "byOrder"};

SensorReport fresh(SensorState state, double at_ms) {
  SensorReport report;
  report.state = state;
  report.at_ms = at_ms;
  return report;
}

}  // namespace

SensorKind unit_kind() {
  return {"unit",
          {"name", "manager"},
          {&kUnitExit, &kUnitFailed, &kUnitStartLimit, &kUnitStopped},
          [](const Fields& fields) {
            UnitSpec spec;
            const auto name = fields.text("name");
            if (!name || name->find('/') != std::string::npos) fields.refuse("name", "expected the name of a unit, such as dnsmasq.service");
            spec.name = *name;
            const std::string manager = fields.text("manager").value_or("system");
            if (manager != "system" && manager != "user") fields.refuse("manager", "expected system or user");
            spec.of_user = manager == "user";
            return watch_unit(std::move(spec));
          }};
}

SensorMaker watch_unit(UnitSpec spec, UnitPlaces places) {
  return [spec = std::move(spec), places = std::move(places)](const SensorWorld& world, SensorHost& host) -> std::unique_ptr<Sensor> {
    return std::make_unique<UnitSensor>(world.reactor, host, world.processes, world.folders, spec, places);
  };
}

UnitSensor::UnitSensor(Reactor& reactor, SensorHost& host, const ProcessContext& context, FolderHub& folders, UnitSpec spec,
                       UnitPlaces places)
    : reactor_(reactor),
      host_(host),
      context_(context),
      group_(folders, context.proc, std::move(spec), std::move(places), [this] { on_change(); }),
      grace_(reactor, [this] { die(kUnitExit, ""); }),
      look_again_(reactor, [this] { on_answer_late(); }),
      look_delay_ms_(kFirstLookMs) {}

SensorReport UnitSensor::start() {
  look();
  const auto oldest = group_.oldest();
  if (!oldest || !adopt(*oldest, false)) become_absent("none of its processes is running");
  started_ = true;
  host_.ask(std::nullopt);
  if (blind_) look_again_.arm(kSlowestLookMs);
  return current_;
}

SensorReport UnitSensor::snapshot() {
  if (pidfd_) {
    pollfd poll{pidfd_->fd(), POLLIN, 0};
    if (retry_eintr([&] { return reactor_.sys().poll(&poll, 1, 0); }) > 0) on_end();
  }
  SensorReport now = current_;
  if (!now.grace_ms) now.at_ms = reactor_.sys().boot_ms();
  return now;
}

void UnitSensor::doubt() {
  if (pidfd_ && context_.proc.is_exiting(watched_->pid)) on_end();
}

bool UnitSensor::kill() {
  if (!pidfd_) return false;
  if (reactor_.sys().pidfd_send_signal(pidfd_->fd(), SIGKILL) == 0) return true;
  if (errno == ESRCH) return false;
  throw Error::from_errno(errno, "Cannot kill process " + std::to_string(watched_->pid));
}

/// Finds the group and watches for its coming.
void UnitSensor::look() {
  try {
    group_.look();
    blind_ = false;
  } catch (const Error& error) {
    blind_ = true;
    host_.fault(error.code(), std::string(error.what()) + ". Its start is looked for once a second; raise fs.inotify.max_user_watches or " +
                                  "max_user_instances (sysctl).");
  }
}

void UnitSensor::on_change() {
  // Of a death the pidfd tells, and with it how it ended.
  if (pidfd_) return;
  host_.ask(dead_pid());
  look_delay_ms_ = kFirstLookMs;
  if (!askable_) return adopt_guess();
  look();
  look_again_.arm(kAnswerMs);
}

/// Nobody has answered, or nobody can: the group alone is to go by.
void UnitSensor::on_answer_late() {
  if (pidfd_) return;
  if (blind_ && askable_) host_.ask(dead_pid());
  adopt_guess();
}

void UnitSensor::adopt_guess() {
  look();
  const auto oldest = group_.oldest();
  if (oldest && !(dead_ && *oldest == *dead_) && adopt(*oldest, false)) return;
  // An empty group that stays: cgroup v1 does not tell when somebody enters it.
  if (!group_.exists() && !blind_) return;
  look_again_.arm(blind_ ? kSlowestLookMs : look_delay_ms_);
  look_delay_ms_ = std::min(look_delay_ms_ * 2, kSlowestLookMs);
}

bool UnitSensor::adopt(const Identity& identity, bool confirmed, bool by_order) {
  UniqueFd pidfd(reactor_.sys().pidfd_open(identity.pid));
  if (!pidfd) {
    if (errno != ESRCH) host_.fault(errno_name(errno), std::string("Its main process cannot be watched, pidfd_open(2) says: ") + strerrordesc_np(errno) + ".");
    return false;
  }
  // Between the look into /proc and pidfd_open the number may have been given to another process.
  const auto now = living(context_.proc, identity.pid);
  if (!now || !(*now == identity)) return false;
  pidfd_ = std::make_unique<FdWatch>(reactor_, std::move(pidfd), EPOLLIN, [this](uint32_t) { on_end(); });
  watched_ = identity;
  confirmed_ = confirmed;
  const bool was_told = end_ && end_->told;
  end_.reset();
  unexplained_.reset();
  grace_.cancel();
  look_again_.cancel();
  current_ = fresh(SensorState::up, reactor_.sys().boot_ms());
  current_.pid = identity.pid;
  if (was_told) current_.by_order = by_order;
  if (started_) host_.report(current_);
  return true;
}

void UnitSensor::on_end() {
  const Identity identity = *watched_;
  End end;
  end.pid = identity.pid;
  end.at_ms = reactor_.now_ms();
  // Before anything else: its parent, systemd, is about to reap it.
  end.cause = cause_by_proc(context_.proc, identity);
  if (!end.cause.known() && context_.exit_info) end.cause = cause_by_pidfd(reactor_.sys(), pidfd_->fd());
  pidfd_.reset();
  watched_.reset();
  dead_ = identity;
  if (mainless_) {
    const auto next = group_.oldest();
    if (next && adopt(*next, true)) return;
  }
  end_ = end;
  if (!askable_) {
    die(kUnitExit, "");
  } else if (!settings_ || !confirmed_) {
    // Perhaps a helper of the start, which nobody has to hear of.
    grace_.arm(kAnswerMs);
  } else if (settings_->grace_ms == 0 && is_abrupt(end.cause)) {
    die(kUnitExit, "");
  } else {
    bear(settings_->grace_ms > 0 ? settings_->grace_ms : kAnswerMs);
  }
  host_.ask(end.pid);
  if (!askable_) adopt_guess();
}

/// Ended in a way in which systemd ends nothing, unless it has to: the same signals as it counts as clean, systemd.service(5).
bool UnitSensor::is_abrupt(const ExitCause& cause) const {
  if (cause.kind != ExitCause::Kind::signal) return false;
  for (const int polite : {SIGHUP, SIGINT, SIGTERM, SIGPIPE, settings_->stop_signal}) {
    if (cause.value == polite) return false;
  }
  return true;
}

/// Dead, but systemd may have it back, or may have been told to end it.
void UnitSensor::bear(double grace_ms) {
  grace_.arm(std::max(0.0, end_->at_ms + grace_ms - reactor_.sys().boot_ms()));
  end_->told = true;
  current_ = fresh(SensorState::down, end_->at_ms);
  current_.reason = &kUnitExit;
  current_.cause = end_->cause;
  current_.pid = end_->pid;
  current_.grace_ms = grace_ms;
  host_.report(current_);
}

void UnitSensor::die(const Reason& reason, std::string words) {
  if (!end_) return;
  const End end = *std::exchange(end_, std::nullopt);
  grace_.cancel();
  host_.died(reason.nature);
  current_ = fresh(SensorState::down, end.at_ms);
  current_.reason = &reason;
  current_.cause = end.cause;
  current_.pid = end.pid;
  current_.detail = std::move(words);
  if (!end.cause.known()) unexplained_ = end.pid;
  host_.report(current_);
}

void UnitSensor::become_absent(std::string why) {
  if (current_.state == SensorState::down) return;
  current_ = fresh(SensorState::absent, reactor_.sys().boot_ms());
  current_.detail = std::move(why);
}

std::optional<pid_t> UnitSensor::dead_pid() const {
  return dead_ ? std::optional<pid_t>(dead_->pid) : std::nullopt;
}

void UnitSensor::advise(const Fields& advice) {
  advice.allow_only(kAdvice);
  const std::string state = advice.text("state").value_or("");
  const double within_ms = advice.milliseconds("withinMs", 0, kAnswerMs);
  const pid_t pid = advice.whole("pid").value_or(0);
  learn(advice);
  if (state == "unknown") return on_unknown();
  askable_ = true;
  if (!blind_) look_again_.cancel();
  if (state == "running") return on_running(pid, advice.flag("byOrder", false));
  if (state == "starting") return on_starting(within_ms);
  if (state == "stopped") return on_stopped(advice.text("words").value_or(kUnitStopped.words));
  if (state == "failed") return on_failed(advice);
  advice.refuse("state", "expected running, starting, stopped, failed or unknown");
}

void UnitSensor::learn(const Fields& advice) {
  if (const auto place = advice.text("place")) {
    group_.settle(*place);
    look();
  }
  const double grace_ms = advice.milliseconds("graceMs", 0, -1);
  if (grace_ms >= 0) settings_ = Settings{grace_ms, advice.whole("stopSignal").value_or(SIGTERM)};
  const auto fault = advice.text("fault");
  if (fault) host_.fault(advice.text("faultCode").value_or("EIO"), *fault);
  else if (!blind_) host_.works();
}

void UnitSensor::on_running(pid_t pid, bool by_order) {
  mainless_ = pid == 0;
  if (pid == 0) {
    if (watched_) confirmed_ = true;
    else if (const auto oldest = group_.oldest()) adopt(*oldest, true);
    return;
  }
  if (watched_ && watched_->pid == pid) {
    confirmed_ = true;
    return;
  }
  const auto identity = living(context_.proc, pid);
  const bool is_dead = !identity || (dead_ && *identity == *dead_);
  // It has ended since: systemd is asked once more.
  if (is_dead || !adopt(*identity, true, by_order)) host_.ask(pid);
}

void UnitSensor::on_starting(double within_ms) {
  if (!end_) return;
  if (end_->told) bear(reactor_.sys().boot_ms() - end_->at_ms + within_ms);
  else grace_.arm(within_ms);
}

void UnitSensor::on_stopped(std::string words) {
  // What lives has been started again since.
  if (watched_) return;
  const bool is_news = end_ || current_.state == SensorState::up;
  grace_.cancel();
  if (!is_news) return become_absent(std::move(words));
  const double at_ms = end_ ? end_->at_ms : reactor_.now_ms();
  end_.reset();
  current_ = fresh(SensorState::absent, at_ms);
  current_.reason = &kUnitStopped;
  current_.detail = std::move(words);
  host_.report(current_);
}

void UnitSensor::on_failed(const Fields& advice) {
  if (watched_) return;
  ExitCause cause;
  if (const auto signal = advice.whole("exitSignal")) cause = {ExitCause::Kind::signal, *signal, advice.flag("coreDumped", false)};
  else if (const auto code = advice.whole("exitCode")) cause = {ExitCause::Kind::exit, *code, false};
  const Reason* reason = &kUnitExit;
  for (const Reason* each : {&kUnitFailed, &kUnitStartLimit}) {
    if (advice.text("reason").value_or("") == each->name) reason = each;
  }
  const std::string words = advice.text("words").value_or(reason->words);
  if (end_) {
    if (!end_->cause.known()) end_->cause = cause;
    return die(*reason, words);
  }
  if (unexplained_ && cause.known()) host_.cause(*std::exchange(unexplained_, std::nullopt), cause);
  become_absent(words);
}

void UnitSensor::on_unknown() {
  askable_ = false;
  // Who does not answer does not restart anything; but what has been learned is kept to, as it may only be busy.
  if (end_ && (!end_->told || settings_->grace_ms == 0)) die(kUnitExit, "");
  if (!pidfd_) adopt_guess();
}

}  // namespace sockmon
