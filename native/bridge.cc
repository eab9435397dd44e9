#include "bridge.h"

#include <iterator>
#include <utility>

#include "base/error.h"
#include "convert.h"

namespace sockmon {

std::shared_ptr<Bridge> Bridge::open(napi_env env, napi_value on_events) {
  const std::shared_ptr<Bridge> bridge(new Bridge(env));
  napi_value name;
  if (napi_create_string_utf8(env, "sockmon", NAPI_AUTO_LENGTH, &name) != napi_ok) return nullptr;
  auto owner = std::make_unique<std::shared_ptr<Bridge>>(bridge);
  if (napi_create_threadsafe_function(env, on_events, nullptr, name, 0, 1, owner.get(), finalize, bridge.get(), call_js,
                                      &bridge->function_) != napi_ok)
    return nullptr;
  owner.release();  // finalize has it now
  try {
    bridge->monitor_ = std::make_unique<Monitor>(
        real_sys(), ProcFs(), [raw = bridge.get()](std::vector<Event> events) { raw->deliver(std::move(events)); });
  } catch (...) {
    bridge->closed_ = true;
    napi_release_threadsafe_function(bridge->function_, napi_tsfn_abort);
    throw;
  }
  // Added after the function was made, so it runs before the function's own clean-up.
  napi_add_env_cleanup_hook(env, on_env_end, bridge.get());
  return bridge;
}

void Bridge::set_ref(bool keep_alive) {
  if (closed_) return;
  (keep_alive ? napi_ref_threadsafe_function : napi_unref_threadsafe_function)(env_, function_);
}

/// Joined, so that nothing uses it any more; its descriptors are not left to the finalizer, which comes later.
/// A thread that hangs may wake up later: what it uses is left to it for ever.
void Bridge::abandon_or_free(const std::shared_ptr<Bridge>& bridge) {
  if (!bridge->monitor_) return;
  if (bridge->monitor_->stop()) {
    bridge->monitor_.reset();
  } else {
    new std::shared_ptr<Bridge>(bridge);
  }
}

void Bridge::close() {
  if (std::exchange(closed_, true)) return;
  const auto self = shared_from_this();
  abandon_or_free(self);
  napi_remove_env_cleanup_hook(env_, on_env_end, this);
  napi_release_threadsafe_function(function_, napi_tsfn_abort);
}

void Bridge::on_env_end(void* self) { static_cast<Bridge*>(self)->close(); }

void Bridge::finalize(napi_env, void* owner, void*) {
  const std::unique_ptr<std::shared_ptr<Bridge>> bridge(static_cast<std::shared_ptr<Bridge>*>(owner));
  (*bridge)->closed_ = true;
  abandon_or_free(*bridge);
}

/// On the monitor thread. One call for a queue that was empty: bounded, however many events there are.
void Bridge::deliver(std::vector<Event> events) {
  {
    const std::lock_guard lock(mutex_);
    const bool was_empty = queue_.empty() && pongs_ == 0;
    queue_.insert(queue_.end(), std::make_move_iterator(events.begin()), std::make_move_iterator(events.end()));
    if (!was_empty) return;
  }
  napi_call_threadsafe_function(function_, nullptr, napi_tsfn_nonblocking);
}

napi_value Bridge::ping() {
  napi_deferred deferred;
  napi_value promise;
  if (napi_create_promise(env_, &deferred, &promise) != napi_ok) return nullptr;
  pings_.push_back(deferred);
  try {
    if (!closed_) monitor_->ping([this] { pong(); });
  } catch (const Error&) {
    // The thread has ended: no answer is the answer.
  }
  return promise;
}

/// On the monitor thread.
void Bridge::pong() {
  {
    const std::lock_guard lock(mutex_);
    const bool was_empty = queue_.empty() && pongs_ == 0;
    pongs_++;
    if (!was_empty) return;
  }
  napi_call_threadsafe_function(function_, nullptr, napi_tsfn_nonblocking);
}

void Bridge::settle_pings(size_t count) {
  for (; count > 0; count--) {
    const napi_deferred deferred = pings_.front();
    pings_.pop_front();
    napi_value nothing;
    if (napi_get_undefined(env_, &nothing) == napi_ok) napi_resolve_deferred(env_, deferred, nothing);
  }
}

void Bridge::call_js(napi_env env, napi_value callback, void* context, void*) {
  // Without them the environment is ending.
  if (env == nullptr || callback == nullptr) return;
  (*static_cast<std::shared_ptr<Bridge>*>(context))->hand_over(env, callback);
}

void Bridge::hand_over(napi_env env, napi_value callback) {
  std::vector<Event> events;
  size_t pongs;
  {
    const std::lock_guard lock(mutex_);
    events.swap(queue_);
    pongs = std::exchange(pongs_, 0);
  }
  if (closed_) return;
  settle_pings(pongs);
  if (events.empty()) return;
  napi_value argument, receiver;
  if (to_js(env, events, &argument) != napi_ok || napi_get_undefined(env, &receiver) != napi_ok) return;
  if (napi_call_function(env, receiver, callback, 1, &argument, nullptr) != napi_pending_exception) return;
  // With Node-API 9 an exception of the callback would only be a deprecation warning.
  napi_value exception;
  if (napi_get_and_clear_last_exception(env, &exception) == napi_ok) napi_fatal_exception(env, exception);
}

}  // namespace sockmon
