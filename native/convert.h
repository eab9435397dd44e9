// With addon.cc the boundary to JavaScript: nothing else includes napi.h.
#pragma once
#include <napi.h>

#include <string>
#include <vector>

#include "core/event.h"
#include "core/monitor.h"
#include "core/sensor.h"
#include "network/link_hub.h"
#include "runs/run_spec.h"

namespace sockmon {

/// Throws a Napi::TypeError with code ERR_SOCKMON_ARGUMENT.
[[noreturn]] void bad_argument(Napi::Env env, const std::string& message);

std::string to_string(const Napi::Value& value, const std::string& what);
std::vector<SensorMaker> to_sensors(const Napi::Value& value);
std::vector<WatchRequest> to_watch_requests(const Napi::Value& value);
Fields to_advice(const Napi::Value& value);
RunSpec to_run(const Napi::Value& value);
AdoptSpec to_adopted_run(const Napi::Value& value);
/// Undefined: all of them.
Natures to_natures(const Napi::Value& value);

/// An array of events. Reports failure by its status instead of an exception: at the end of an environment nothing
/// can be thrown, and the wrapper classes of node-addon-api would abort the process.
napi_status to_js(napi_env env, const std::vector<Event>& events, napi_value* result);
napi_status to_js(napi_env env, const std::vector<SensorReport>& reports, napi_value* result);
Napi::Object to_js(Napi::Env env, const NetworkCounters& counters);

}  // namespace sockmon
