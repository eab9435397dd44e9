#include "sensors/process.h"

#include <algorithm>

#include "base/error.h"
#include "process/exit_cause.h"

namespace sockmon {
namespace {

constexpr double kFirstRescanMs = 5;
constexpr double kSlowestRescanMs = 1000;
/// A crash loop must not collect descriptors.
constexpr size_t kMostCauseWatches = 4;

}  // namespace

SensorKind process_kind() {
  return {"process", {"pidfile", "name", "listen"}, {&kProcessExit}, [](const Fields& fields) {
            ProcessSpec spec;
            spec.pidfile = fields.text("pidfile");
            spec.name = fields.text("name");
            if (const auto listen = fields.text("listen")) {
              spec.listen = parse_listen(*listen);
              if (!spec.listen)
                fields.refuse("listen", "expected tcp:PORT, tcp:ADDRESS:PORT, tcp:[ADDRESS]:PORT, the same with udp, "
                                        "or unix:/PATH, not " + *listen);
            }
            if (!spec.pidfile && !spec.name && !spec.listen)
              fields.refuse("expected at least one of pidfile, name and listen");
            return watch_process(std::move(spec));
          }};
}

SensorMaker watch_process(ProcessSpec spec) {
  return [spec = std::move(spec)](const SensorWorld& world, SensorHost& host) -> std::unique_ptr<Sensor> {
    return std::make_unique<ProcessSensor>(world.reactor, host, world.processes, spec);
  };
}

ProcessSensor::ProcessSensor(Reactor& reactor, SensorHost& host, const ProcessContext& context, ProcessSpec spec)
    : reactor_(reactor),
      host_(host),
      context_(context),
      spec_(std::move(spec)),
      rescan_(reactor, [this] { search(); }),
      rescan_delay_ms_(kFirstRescanMs) {}

SensorReport ProcessSensor::start() {
  search();
  started_ = true;
  return current_;
}

SensorReport ProcessSensor::snapshot() {
  if (pidfd_) {
    pollfd poll{pidfd_->fd(), POLLIN, 0};
    if (retry_eintr([&] { return reactor_.sys().poll(&poll, 1, 0); }) > 0) {
      on_death();
    } else {
      doubt();
    }
  } else {
    search();
  }
  SensorReport now = current_;
  now.at_ms = reactor_.sys().boot_ms();
  return now;
}

void ProcessSensor::doubt() {
  if (pidfd_) {
    if (context_.proc.is_exiting(watched_->identity.pid)) on_death();
    return;
  }
  if (searching_) return;
  // The interface is back, so its process is: now, and not when the back-off says so (it made 14 to 59 ms of 10).
  rescan_delay_ms_ = kFirstRescanMs;
  search();
}

bool ProcessSensor::kill() {
  if (!pidfd_) return false;
  if (reactor_.sys().pidfd_send_signal(pidfd_->fd(), SIGKILL) == 0) return true;
  if (errno == ESRCH) return false;
  throw Error::from_errno(errno, "Cannot kill process " + std::to_string(watched_->identity.pid));
}

void ProcessSensor::search() {
  searching_ = true;
  look_for_it();
  searching_ = false;
}

void ProcessSensor::look_for_it() {
  Search search = context_.finder.find(spec_);
  if (search.found && is_the_dead_one(*search.found)) {
    search = {std::nullopt, "only the process that died is found", ""};
  }
  if (search.found && adopt(*search.found)) return;
  if (!search.fault.empty()) host_.fault(search.fault, search.why_not);
  else if (!search.found) host_.works();
  if (!search.found) become_absent(std::move(search.why_not));
  rescan_.arm(rescan_delay_ms_);
  rescan_delay_ms_ = std::min(rescan_delay_ms_ * 2, kSlowestRescanMs);
}

bool ProcessSensor::is_the_dead_one(const Found& found) const {
  if (!dead_) return false;
  if (found.identity == dead_->identity) return true;
  // The number came round again before the pidfile was written anew.
  return found.pidfile && dead_->pidfile && found.identity.pid == dead_->identity.pid &&
         *found.pidfile == *dead_->pidfile;
}

bool ProcessSensor::adopt(const Found& found) {
  Sys& sys = reactor_.sys();
  UniqueFd pidfd(sys.pidfd_open(found.identity.pid));
  if (!pidfd) {
    if (errno != ESRCH) {
      const int error = errno;
      host_.fault(errno_name(error), std::string("The process cannot be watched, pidfd_open(2) says: ") +
                                         strerrordesc_np(error) + (error == ENOSYS ? " (it needs Linux 5.3)." : "."));
    }
    become_absent("the process cannot be watched");
    return false;
  }
  // Between the look into /proc and pidfd_open the number may have been given to another process.
  const auto identity = context_.finder.identify(found.identity.pid);
  if (!identity || !(*identity == found.identity)) {
    become_absent("the process ended while it was being looked at");
    return false;
  }
  pidfd_ = std::make_unique<FdWatch>(reactor_, std::move(pidfd), EPOLLIN, [this](uint32_t) { on_death(); });
  watched_ = found;
  host_.works();
  rescan_.cancel();
  rescan_delay_ms_ = kFirstRescanMs;
  current_ = {};
  current_.state = SensorState::up;
  current_.at_ms = reactor_.sys().boot_ms();
  current_.pid = found.identity.pid;
  if (started_) host_.report(current_);
  return true;
}

void ProcessSensor::become_absent(std::string why) {
  if (current_.state == SensorState::down) return;  // after a death only `up` can follow
  current_ = {};
  current_.state = SensorState::absent;
  current_.at_ms = reactor_.sys().boot_ms();
  current_.detail = std::move(why);
}

void ProcessSensor::on_death() {
  const double at_ms = reactor_.now_ms();
  Sys& sys = reactor_.sys();
  const Identity identity = watched_->identity;
  ExitCause cause;
  // Before Linux 6.15 the status is to be had only until the parent reaps: look before the spawn (20 us).
  if (!context_.exit_info) cause = cause_by_proc(context_.proc, identity);
  host_.died(kProcessExit.nature);
  if (!cause.known()) cause = cause_by_pidfd(sys, pidfd_->fd());
  if (!cause.known()) cause = cause_by_proc(context_.proc, identity);

  current_ = {};
  current_.state = SensorState::down;
  current_.at_ms = at_ms;
  current_.reason = &kProcessExit;
  current_.cause = cause;
  current_.pid = identity.pid;
  host_.report(current_);

  dead_ = watched_;
  watched_.reset();
  if (!cause.known()) {
    watch_for_cause();
  } else {
    pidfd_.reset();
  }
  rescan_delay_ms_ = kFirstRescanMs;
  rescan_.arm(rescan_delay_ms_);
}

void ProcessSensor::watch_for_cause() {
  if (cause_watches_.size() >= kMostCauseWatches) cause_watches_.pop_front();
  const auto slot = cause_watches_.emplace(cause_watches_.end());
  const pid_t pid = dead_->identity.pid;
  *slot = std::make_unique<CauseWatch>(reactor_, context_.proc, pidfd_->release(), dead_->identity,
                                       [this, slot, pid](ExitCause cause) {
                                         if (cause.known()) host_.cause(pid, cause);
                                         cause_watches_.erase(slot);
                                       });
  pidfd_.reset();
}

}  // namespace sockmon
