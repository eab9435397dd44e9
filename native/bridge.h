// Carries events from the monitor thread to the JavaScript callback, and ends both in the right order.
#pragma once
#include <node_api.h>

#include <memory>
#include <mutex>
#include <vector>

#include "core/monitor.h"

namespace sockmon {

/// Shared by the Monitor object of JavaScript and the thread-safe function: whichever goes last frees it, because
/// Node may still call the function after the cleanup hook of its environment.
class Bridge : public std::enable_shared_from_this<Bridge> {
 public:
  /// Null when JavaScript could not be prepared; throws Error when the monitor cannot start.
  static std::shared_ptr<Bridge> open(napi_env env, napi_value on_events);

  Monitor& monitor() { return *monitor_; }
  bool closed() const { return closed_; }
  void set_ref(bool keep_alive);
  /// Stops the monitor and drops what was not delivered. Idempotent; on the JavaScript thread.
  void close();

 private:
  explicit Bridge(napi_env env) : env_(env) {}
  static void call_js(napi_env env, napi_value callback, void* context, void* data);
  static void finalize(napi_env env, void* data, void* hint);
  static void on_env_end(void* self);
  void deliver(std::vector<Event> events);
  void hand_over(napi_env env, napi_value callback);

  napi_env env_;
  napi_threadsafe_function function_ = nullptr;
  std::unique_ptr<Monitor> monitor_;
  bool closed_ = false;
  std::mutex mutex_;
  std::vector<Event> queue_;
};

}  // namespace sockmon
