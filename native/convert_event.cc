// C++ to JavaScript: events as native/index.d.ts has them.
#include "convert.h"

namespace sockmon {
namespace {

/// Builds an object; the first failure is kept and the rest left out.
class Builder {
 public:
  explicit Builder(napi_env env) : env_(env), status_(napi_create_object(env, &object_)) {}

  Builder& set(const char* key, napi_value value) {
    if (status_ == napi_ok) status_ = napi_set_named_property(env_, object_, key, value);
    return *this;
  }
  Builder& set(const char* key, const std::string& text) {
    napi_value value = nullptr;
    if (status_ == napi_ok) status_ = napi_create_string_utf8(env_, text.data(), text.size(), &value);
    return set(key, value);
  }
  Builder& set(const char* key, const char* text) { return set(key, std::string(text)); }
  Builder& set(const char* key, double number) {
    napi_value value = nullptr;
    if (status_ == napi_ok) status_ = napi_create_double(env_, number, &value);
    return set(key, value);
  }
  Builder& set(const char* key, int number) { return set(key, static_cast<double>(number)); }
  Builder& set(const char* key, bool flag) {
    napi_value value = nullptr;
    if (status_ == napi_ok) status_ = napi_get_boolean(env_, flag, &value);
    return set(key, value);
  }
  Builder& set(const char* key, const std::vector<std::string>& texts);
  Builder& set(const char* key, const ExitCause& cause);
  template <typename Value>
  Builder& set(const char* key, const std::optional<Value>& value) {
    return value ? set(key, *value) : *this;
  }
  Builder& set_unless_empty(const char* key, const std::string& text) { return text.empty() ? *this : set(key, text); }

  napi_status finish(napi_value* result) const {
    *result = object_;
    return status_;
  }

 private:
  napi_env env_;
  napi_value object_ = nullptr;
  napi_status status_;
};

const char* name_of(SensorState state) {
  switch (state) {
    case SensorState::unknown:
      return "unknown";
    case SensorState::up:
      return "up";
    case SensorState::absent:
      return "absent";
    case SensorState::down:
      break;
  }
  return "down";
}

template <typename Items, typename Make>
napi_status to_array(napi_env env, const Items& items, napi_value* result, Make make) {
  napi_status status = napi_create_array_with_length(env, items.size(), result);
  for (size_t i = 0; i < items.size() && status == napi_ok; i++) {
    napi_handle_scope scope;
    status = napi_open_handle_scope(env, &scope);
    if (status != napi_ok) return status;
    napi_value item = nullptr;
    status = make(items[i], &item);
    if (status == napi_ok) status = napi_set_element(env, *result, static_cast<uint32_t>(i), item);
    napi_close_handle_scope(env, scope);
  }
  return status;
}

Builder& Builder::set(const char* key, const std::vector<std::string>& texts) {
  napi_value array = nullptr;
  if (status_ == napi_ok) {
    status_ = to_array(env_, texts, &array, [&](const std::string& text, napi_value* item) {
      return napi_create_string_utf8(env_, text.data(), text.size(), item);
    });
  }
  return set(key, array);
}

Builder& Builder::set(const char* key, const ExitCause& cause) {
  Builder object(env_);
  if (cause.kind == ExitCause::Kind::signal) {
    object.set("kind", "signal").set("signal", cause.value).set("coreDumped", cause.core_dumped);
  } else if (cause.kind == ExitCause::Kind::exit) {
    object.set("kind", "exit").set("code", cause.value);
  } else {
    object.set("kind", "unknown");
  }
  napi_value value = nullptr;
  if (status_ == napi_ok) status_ = object.finish(&value);
  return set(key, value);
}

napi_status convert(napi_env env, const SensorReport& report, napi_value* result) {
  Builder object(env);
  object.set("type", "sensor").set("resource", report.resource).set("sensor", report.sensor);
  object.set("state", name_of(report.state)).set("atMs", report.at_ms);
  if (report.reason != nullptr) object.set("reason", report.reason->name).set("nature", name_of(report.reason->nature));
  object.set("cause", report.cause).set("pid", report.pid).set("interface", report.interface);
  if (report.own_run) object.set("ownRun", true);
  object.set("interfaceIndex", report.interface_index).set("carrier", report.carrier);
  object.set("addresses", report.addresses).set("standby", report.standby).set("families", report.families);
  object.set_unless_empty("detail", report.detail).set("reflex", report.reflex).set("replaced", report.replaced).set("servedBy", report.served_by);
  return object.set("graceMs", report.grace_ms).set("byOrder", report.by_order).finish(result);
}

napi_status convert(napi_env env, const CauseReport& report, napi_value* result) {
  Builder object(env);
  object.set("type", "cause").set("resource", report.resource).set("sensor", report.sensor);
  return object.set("pid", report.pid).set("cause", report.cause).finish(result);
}

napi_status convert(napi_env env, const Question& question, napi_value* result) {
  Builder object(env);
  object.set("type", "question").set("resource", question.resource).set("sensor", question.sensor);
  return object.set("pid", question.pid).finish(result);
}

napi_status convert(napi_env env, const RunStarted& started, napi_value* result) {
  Builder object(env);
  object.set("type", "run_started").set("id", started.id).set("pid", started.pid);
  object.set("startTicks", static_cast<double>(started.start_ticks));
  object.set("atMs", started.at_ms).set("reflex", started.reflex);
  return object.set_unless_empty("runFileError", started.run_file_error).finish(result);
}

napi_status convert(napi_env env, const RunEnded& ended, napi_value* result) {
  Builder object(env);
  object.set("type", "run_ended").set("id", ended.id).set("atMs", ended.at_ms).set("exit", ended.exit);
  object.set_unless_empty("spawnError", ended.spawn_error).set("notNeeded", ended.not_needed).set("timedOut", ended.timed_out);
  return object.set("output", ended.output).set("outputTruncated", ended.output_truncated).finish(result);
}

napi_status convert(napi_env env, const Fault& fault, napi_value* result) {
  Builder object(env);
  object.set("type", "fault").set("resource", fault.resource).set("sensor", fault.sensor);
  return object.set("code", fault.code).set("detail", fault.detail).set("atMs", fault.at_ms).set("active", fault.active).finish(result);
}

}  // namespace

napi_status to_js(napi_env env, const std::vector<Event>& events, napi_value* result) {
  return to_array(env, events, result, [&](const Event& event, napi_value* item) {
    return std::visit([&](const auto& fact) { return convert(env, fact, item); }, event);
  });
}

napi_status to_js(napi_env env, const std::vector<SensorReport>& reports, napi_value* result) {
  return to_array(env, reports, result,
                  [&](const SensorReport& report, napi_value* item) { return convert(env, report, item); });
}

}  // namespace sockmon
