// The monitor: one thread, one epoll set, any number of resources. Commands come from one other thread.
#pragma once
#include <pthread.h>

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "resource.h"
#include "wakeup.h"

namespace sockmon {

class Monitor {
 public:
  /// Gets the events of one turn of the loop, in order, on the monitor thread. Must not block.
  using Deliver = std::function<void(std::vector<Event>)>;

  /// Starts the thread. Throws Error.
  Monitor(Sys& sys, ProcFs proc, Deliver deliver);
  ~Monitor();
  Monitor(const Monitor&) = delete;
  Monitor& operator=(const Monitor&) = delete;

  /// Throws Error: EEXIST, EMFILE.
  std::vector<SensorReport> watch(const std::string& resource, const std::vector<SensorSpec>& sensors);
  void unwatch(const std::string& resource);
  /// Throws Error ENOENT for an unknown resource.
  std::vector<SensorReport> snapshot(const std::string& resource);
  /// Throws Error ENOENT for an unknown resource, and when the script cannot be made ready.
  void arm_reflex(const std::string& resource, RunSpec spec);
  void disarm_reflex(const std::string& resource);
  void run(RunSpec spec);
  void end_run(const std::string& id);
  /// Ends the thread and waits for it. Running scripts go on. Idempotent.
  void stop();

 private:
  using Command = std::function<void()>;

  static void* thread_main(void* self);
  void loop();
  void post(Command command);
  /// Runs it on the monitor thread and waits for its result, or rethrows its exception here.
  template <typename Result>
  Result call(std::function<Result()> command);
  void run_commands();
  void flush();
  void emit(Event event) { outbox_.push_back(std::move(event)); }
  void fault(const std::string& code, const std::string& detail);
  Resource& find(const std::string& resource);

  Deliver deliver_;
  std::vector<Event> outbox_;
  Wakeup wakeup_;
  Reactor reactor_;
  const ProcFs proc_;
  Runs runs_;
  ProcessFinder finder_;
  const ProcessContext processes_;
  LinkHub hub_;
  std::map<std::string, std::unique_ptr<Resource>> resources_;
  std::unique_ptr<FdWatch> commands_watch_;

  std::mutex mutex_;
  std::vector<Command> commands_;
  bool stopping_ = false;
  bool ended_ = false;
  pthread_t thread_{};
  bool joinable_ = false;
};

}  // namespace sockmon
