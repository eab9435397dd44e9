// The monitor: one thread, one epoll set, any number of resources. Commands come from one other thread.
#pragma once
#include <pthread.h>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/folder_hub.h"
#include "base/wakeup.h"
#include "core/resource.h"
#include "network/address_reader.h"
#include "network/link_hub.h"
#include "process/census.h"
#include "process/process_finder.h"

namespace sockmon {

/// How long the two threads wait for each other.
struct Patience {
  /// The other for this one. Nothing that it does takes a tenth of that; one that hangs has to be told of.
  std::chrono::milliseconds answer{10'000};
  std::chrono::milliseconds join{2000};
  /// Until the events of a reflex wake the other. What that one then does takes 4 to 8 ms of a processor, from a new stack whose start takes
  /// some 10 ms on two of them.
  std::chrono::milliseconds head_start{20};
};

struct WatchRequest {
  std::string resource;
  std::vector<SensorMaker> sensors;
};

/// What watch() would have returned or thrown for one of many.
struct WatchOutcome {
  std::vector<SensorReport> reports;
  std::optional<Error> error;
};

class Monitor final : private RunObserver {
 public:
  /// Gets the events of one turn of the loop, or of a head start, in order, on the monitor thread. Must not block.
  using Deliver = std::function<void(std::vector<Event>)>;

  /// Starts the thread. Throws Error.
  Monitor(Sys& sys, ProcFs proc, Deliver deliver, Patience patience = {});
  ~Monitor();
  Monitor(const Monitor&) = delete;
  Monitor& operator=(const Monitor&) = delete;

  /// Throws Error: EEXIST, EMFILE.
  std::vector<SensorReport> watch(const std::string& resource, const std::vector<SensorMaker>& sensors);
  /// Many at once: a hundred of them wait for the thread together. One outcome for each request, in order.
  std::vector<WatchOutcome> watch_all(const std::vector<WatchRequest>& requests);
  void unwatch(const std::string& resource);
  /// Throws Error ENOENT for an unknown resource.
  std::vector<SensorReport> snapshot(const std::string& resource);
  /// Throws Error ENOENT for an unknown resource, and when the script cannot be made ready.
  void arm_reflex(const std::string& resource, RunSpec spec, Natures natures = Natures::all());
  void disarm_reflex(const std::string& resource);
  /// False: it was not started, because what it is not to be run over is alive.
  bool run(RunSpec spec);
  /// See Runs::adopt.
  bool adopt_run(const AdoptSpec& spec);
  void end_run(const std::string& id);
  /// False when no process sensor of it watches one. Throws Error: ENOENT, or what the kernel says.
  bool kill(const std::string& resource);
  /// Tells a sensor what it has asked for by a Question. Throws Error ENOENT, ERR_SOCKMON_ARGUMENT.
  void advise(const std::string& resource, int sensor, Fields advice);
  /// Does not wait for the thread.
  NetworkCounters network_counters() const { return hub_.counters(); }
  /// See AddressReader. Does not wait for the monitor thread.
  std::vector<std::string> addresses() { return addresses_.read(std::chrono::milliseconds(1000)); }
  /// Calls back on the monitor thread, in one of its next turns. Does not wait. Throws Error ESHUTDOWN.
  void ping(std::function<void()> answer);
  /// Ends the thread and waits for it. Running scripts go on. Idempotent. False when the thread hangs: it still uses this object,
  /// which must not be destroyed then.
  bool stop();

 private:
  using Command = std::function<void()>;

  static void* thread_main(void* self);
  void loop();
  void post(Command command);
  /// Runs it on the monitor thread and waits for its result, or rethrows its exception here. It may be run after the wait was
  /// given up, so it must own what it uses. Throws Error ESHUTDOWN, or ETIMEDOUT when the thread hangs.
  template <typename Result>
  Result call(std::function<Result()> command);
  std::shared_ptr<const Roll> roll_for(const RollNeeds& needs);
  std::vector<WatchOutcome> watch_some(std::vector<WatchRequest> requests);
  std::vector<SensorReport> start_watch(const WatchRequest& request);
  void run_commands();
  void flush();
  void run_started(const RunStarted& started) override;
  void run_ended(const RunEnded& ended) override;
  void emit(Event event);
  void fault(const std::string& code, const std::string& detail);
  bool is_alive(const std::string& resource);
  Resource& find(const std::string& resource);

  Deliver deliver_;
  const Patience patience_;
  std::vector<Event> outbox_;
  Wakeup wakeup_;
  Reactor reactor_;
  /// Armed while what a reflex has just started has the processors for itself: the outbox waits.
  Timer head_start_;
  const ProcFs proc_;
  Runs runs_;
  Census census_;
  ProcessFinder finder_;
  size_t lookers_ = 0;
  const ProcessContext processes_;
  LinkHub hub_;
  AddressReader addresses_;
  FolderHub folders_;
  const SensorWorld world_;
  const Resource::Emit emit_;
  /// By the name that the resource itself holds.
  std::map<std::string_view, std::unique_ptr<Resource>> resources_;
  std::unique_ptr<FdWatch> commands_watch_;

  std::mutex mutex_;
  std::vector<Command> commands_;
  bool stopping_ = false;
  bool ended_ = false;
  /// Nothing of this object is used by the thread any more.
  bool gone_ = false;
  std::condition_variable gone_changed_;
  pthread_t thread_{};
  bool joinable_ = false;
};

}  // namespace sockmon
