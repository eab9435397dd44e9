// Carries events from the monitor thread to the JavaScript callback, and ends both in the right order.
#pragma once
#include <node_api.h>

#include <deque>
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
  /// A promise that resolves once the thread has answered and the answer has come back here; null when it could not be made.
  napi_value ping();
  /// Stops the monitor and drops what was not delivered. Idempotent; on the JavaScript thread.
  void close();

 private:
  explicit Bridge(napi_env env) : env_(env) {}
  static void call_js(napi_env env, napi_value callback, void* context, void* data);
  static void finalize(napi_env env, void* data, void* hint);
  static void on_env_end(void* self);
  static void abandon_or_free(const std::shared_ptr<Bridge>& bridge);
  void deliver(std::vector<Event> events);
  void pong();
  void settle_pings(size_t count);
  void hand_over(napi_env env, napi_value callback);

  napi_env env_;
  napi_threadsafe_function function_ = nullptr;
  std::unique_ptr<Monitor> monitor_;
  bool closed_ = false;
  std::mutex mutex_;
  std::vector<Event> queue_;
  /// Answers of the thread that JavaScript has not seen yet.
  size_t pongs_ = 0;
  /// The promises that wait for one, in order. Used by the JavaScript thread alone.
  std::deque<napi_deferred> pings_;
};

}  // namespace sockmon
