#include "core/monitor.h"

#include <fcntl.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <iterator>
#include <optional>
#include <type_traits>
#include <variant>

#include "base/fd_budget.h"
#include "base/priority.h"
#include "base/thread.h"
#include "process/exit_cause.h"

namespace sockmon {
namespace {

UniqueFd duplicate(int fd) {
  UniqueFd copy(fcntl(fd, F_DUPFD_CLOEXEC, 3));
  if (!copy) throw Error::from_errno(errno, "Cannot duplicate a descriptor");
  return copy;
}

/// Where nobody has come to observe the network in the end, it is not listened to.
struct NetworkUse {
  explicit NetworkUse(LinkHub& hub) : hub(hub) {}
  ~NetworkUse() { hub.end_unobserved(); }
  LinkHub& hub;
};

}  // namespace

Monitor::Monitor(Sys& sys, ProcFs proc, Deliver deliver, Patience patience)
    : deliver_(std::move(deliver)),
      patience_(patience),
      reactor_(sys, [this](const std::string& code, const std::string& detail) { fault(code, detail); }),
      head_start_(reactor_, [] {}),
      proc_(std::move(proc)),
      runs_(reactor_, proc_, *this, [this](const std::string& resource) { return is_alive(resource); }),
      census_(reactor_, sys, proc_),
      finder_(sys, proc_, [this](pid_t session) { return runs_.is_script(session); }),
      processes_{finder_, proc_, has_exit_info(sys), [this] { return runs_.last_start_ms(); }, &census_, &folders_, &lookers_},
      hub_(reactor_),
      addresses_(sys),
      folders_(reactor_),
      world_{reactor_, hub_, runs_, processes_, folders_},
      emit_([this](Event event) { emit(std::move(event)); }),
      commands_watch_(std::make_unique<FdWatch>(reactor_, duplicate(wakeup_.fd()), EPOLLIN,
                                                [this](uint32_t) { run_commands(); })) {
  thread_ = start_thread("sockmon", thread_main, this);
  joinable_ = true;
}

Monitor::~Monitor() { stop(); }

void* Monitor::thread_main(void* self) {
  auto* monitor = static_cast<Monitor*>(self);
  monitor->loop();
  const std::lock_guard lock(monitor->mutex_);
  monitor->gone_ = true;
  monitor->gone_changed_.notify_all();
  return nullptr;
}

void Monitor::loop() {
  go_first();
  try {
    for (;;) {
      reactor_.run_once();
      {
        // Before anything is delivered: after a stop() that gave up waiting nobody is there to take it.
        const std::lock_guard lock(mutex_);
        if (stopping_) return;
      }
      flush();
    }
  } catch (const std::exception& error) {
    fault("ESHUTDOWN", std::string("The monitor thread has ended, nothing is watched any more: ") + error.what());
    head_start_.cancel();
    flush();
    const std::lock_guard lock(mutex_);
    ended_ = true;
    commands_.clear();  // their callers find a broken promise
  }
}

void Monitor::flush() {
  if (outbox_.empty() || head_start_.armed()) return;
  deliver_(std::exchange(outbox_, {}));
}

void Monitor::post(Command command) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_ || ended_) throw Error("ESHUTDOWN", "The monitor has ended");
    commands_.push_back(std::move(command));
  }
  wakeup_.wake();
}

template <typename Result>
Result Monitor::call(std::function<Result()> command) {
  using Value = std::conditional_t<std::is_void_v<Result>, std::monostate, Result>;
  /// An error travels as words: what an exception holds would be shared by both threads.
  struct Outcome {
    std::optional<Value> value;
    std::string code, message;
  };
  auto promise = std::make_shared<std::promise<Outcome>>();
  std::future<Outcome> future = promise->get_future();
  const auto abandoned = std::make_shared<std::atomic<bool>>(false);
  // Handed over whole: if the thread ends without running it, the promise must break.
  post([promise = std::move(promise), command = std::move(command), abandoned] {
    if (*abandoned) return;
    try {
      if constexpr (std::is_void_v<Result>) {
        command();
        promise->set_value({std::monostate(), "", ""});
      } else {
        promise->set_value({command(), "", ""});
      }
    } catch (const Error& error) {
      promise->set_value({std::nullopt, error.code(), error.what()});
    } catch (const std::exception& error) {
      promise->set_value({std::nullopt, "EIO", error.what()});
    }
  });
  if (future.wait_for(patience_.answer) == std::future_status::timeout) {
    *abandoned = true;
    throw Error("ETIMEDOUT", "The monitor thread does not answer");
  }
  try {
    Outcome outcome = future.get();
    if (!outcome.value) throw Error(outcome.code, outcome.message);
    if constexpr (!std::is_void_v<Result>) return std::move(*outcome.value);
  } catch (const std::future_error&) {
    throw Error("ESHUTDOWN", "The monitor has ended");
  }
}

void Monitor::run_commands() {
  wakeup_.clear();
  std::vector<Command> commands;
  {
    const std::lock_guard lock(mutex_);
    commands.swap(commands_);
  }
  for (const Command& command : commands) command();
  // Who has sent them is awake, and an answer must not overtake what was seen before it.
  head_start_.cancel();
}

void Monitor::emit(Event event) {
  const auto* report = std::get_if<SensorReport>(&event);
  if (report != nullptr && report->state == SensorState::up) head_start_.cancel();
  outbox_.push_back(std::move(event));
}

void Monitor::run_started(const RunStarted& started) {
  emit(started);
  if (started.reflex && !head_start_.armed()) head_start_.arm(static_cast<double>(patience_.head_start.count()));
  hub_.check_lock();
  // What it starts will come soon, also where the script never ends because it becomes the service.
  census_.encourage();
}

void Monitor::run_ended(const RunEnded& ended) {
  emit(ended);
  // It may have been ended because it hung.
  hub_.check_lock();
  const auto resource = resources_.find(ended.resource);
  if (resource != resources_.end()) resource->second->look();
}

void Monitor::fault(const std::string& code, const std::string& detail) {
  emit(Fault{std::nullopt, std::nullopt, code, detail, reactor_.sys().boot_ms()});
}

Resource& Monitor::find(const std::string& resource) {
  const auto found = resources_.find(resource);
  if (found == resources_.end()) throw Error("ENOENT", "No resource " + resource + " is watched");
  return *found->second;
}

/// Made while the monitor thread goes on watching.
std::shared_ptr<const Roll> Monitor::roll_for(const RollNeeds& needs) { return needs.any() ? census_.fresh(needs) : nullptr; }

std::vector<SensorReport> Monitor::watch(const std::string& name, const std::vector<SensorMaker>& sensors) {
  WatchOutcome outcome = std::move(watch_all({{name, sensors}}).front());
  if (outcome.error) throw *outcome.error;
  return std::move(outcome.reports);
}

std::vector<WatchOutcome> Monitor::watch_all(const std::vector<WatchRequest>& requests) {
  // Few enough for a slow processor to be done long before the wait is given up; what happens meanwhile is seen in between.
  constexpr size_t kTogether = 100;
  std::vector<WatchOutcome> outcomes;
  outcomes.reserve(requests.size());
  for (size_t first = 0; first < requests.size(); first += kTogether) {
    const size_t last = std::min(first + kTogether, requests.size());
    try {
      auto some = watch_some({requests.begin() + static_cast<ptrdiff_t>(first), requests.begin() + static_cast<ptrdiff_t>(last)});
      std::move(some.begin(), some.end(), std::back_inserter(outcomes));
    } catch (const Error& error) {
      // The thread hangs or has ended: nobody waits for it once more.
      outcomes.resize(requests.size(), WatchOutcome{{}, error});
      return outcomes;
    }
  }
  return outcomes;
}

std::vector<WatchOutcome> Monitor::watch_some(std::vector<WatchRequest> requests) {
  RollNeeds needs;
  bool reads_network = false;
  for (const WatchRequest& request : requests) {
    for (const SensorMaker& sensor : request.sensors) {
      needs.add(sensor.needs);
      reads_network |= sensor.reads_network;
    }
  }
  if (reads_network) {
    call<void>([this] { hub_.begin(); });
    hub_.wait_for_begin();
  }
  return call<std::vector<WatchOutcome>>([this, requests = std::move(requests), roll = roll_for(needs)] {
    const Census::Loan loan(census_, roll);
    const NetworkUse use(hub_);
    std::vector<WatchOutcome> outcomes;
    for (const WatchRequest& request : requests) {
      try {
        outcomes.push_back({start_watch(request), std::nullopt});
      } catch (const Error& error) {
        outcomes.push_back({{}, error});
      } catch (const std::exception& error) {
        outcomes.push_back({{}, Error("EIO", error.what())});
      }
    }
    return outcomes;
  });
}

std::vector<SensorReport> Monitor::start_watch(const WatchRequest& request) {
  const auto& [name, sensors] = request;
  if (resources_.count(name) != 0) throw Error("EEXIST", "A resource " + name + " is watched already");
  // A pidfd each, the sockets of the network and the reflex with its pipe.
  if (near_fd_limit(static_cast<int>(sensors.size()) + 4))
    throw Error("EMFILE", "Too few file descriptors are left to watch " + name + ": raise LimitNOFILE of the service");
  auto resource = std::make_unique<Resource>(world_, emit_, name, sensors);
  auto reports = resource->start();
  resources_.emplace(resource->name(), std::move(resource));
  return reports;
}

void Monitor::unwatch(const std::string& name) {
  call<void>([this, name] { resources_.erase(name); });
}

std::vector<SensorReport> Monitor::snapshot(const std::string& name) {
  return call<std::vector<SensorReport>>([this, name, roll = roll_for(census_.needs())] {
    const Census::Loan loan(census_, roll);
    return find(name).snapshot();
  });
}

void Monitor::arm_reflex(const std::string& name, RunSpec spec, Natures natures) {
  call<void>([this, name, spec = std::move(spec), natures] { find(name).arm_reflex(runs_.prepare(spec), natures); });
}

void Monitor::disarm_reflex(const std::string& name) {
  call<void>([this, name] {
    if (const auto found = resources_.find(name); found != resources_.end()) found->second->arm_reflex(nullptr, Natures());
  });
}

bool Monitor::run(RunSpec spec) {
  return call<bool>([this, spec = std::move(spec)] {
    // Prepared first: between the look and the start there is nothing but the spawn.
    auto run = runs_.prepare(spec);
    if (is_alive(spec.unless_alive)) return false;
    runs_.start(std::move(run)).follow(false);
    return true;
  });
}

/// A look that fails is no reason to leave something dead alone.
bool Monitor::is_alive(const std::string& resource) {
  const auto found = resources_.find(resource);
  if (found == resources_.end()) return false;
  try {
    return found->second->is_alive();
  } catch (const std::exception& error) {
    fault("EIO", "Whether " + resource + " is alive cannot be seen: " + error.what());
    return false;
  }
}

bool Monitor::adopt_run(const AdoptSpec& spec) {
  return call<bool>([this, spec] { return runs_.adopt(spec); });
}

void Monitor::end_run(const std::string& id) {
  call<void>([this, id] { runs_.end(id); });
}

bool Monitor::kill(const std::string& name) {
  return call<bool>([this, name] { return find(name).kill(); });
}

void Monitor::advise(const std::string& name, int sensor, Fields advice) {
  call<void>([this, name, sensor, advice = std::move(advice)] { find(name).advise(sensor, advice); });
}

void Monitor::ping(std::function<void()> answer) { post(std::move(answer)); }

bool Monitor::stop() {
  if (!joinable_) return true;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wakeup_.wake();
  {
    std::unique_lock lock(mutex_);
    if (!gone_changed_.wait_for(lock, patience_.join, [this] { return gone_; })) return false;
  }
  pthread_join(thread_, nullptr);
  joinable_ = false;
  census_.stop();
  hub_.stop();
  return true;
}

}  // namespace sockmon
