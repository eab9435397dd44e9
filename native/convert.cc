// JavaScript to C++: checks every argument and says what was expected.
#include "convert.h"

#include <cmath>
#include <map>

#include "base/error.h"
#include "sensors/table.h"

namespace sockmon {
namespace {

Napi::Object to_object(const Napi::Value& value, const std::string& what) {
  if (!value.IsObject() || value.IsArray() || value.IsFunction())
    bad_argument(value.Env(), what + ": expected an object");
  return value.As<Napi::Object>();
}

bool is_given(const Napi::Value& value) { return !value.IsUndefined(); }

double milliseconds(const Napi::Object& object, const char* key, const std::string& what, double least) {
  const Napi::Value value = object.Get(key);
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : NAN;
  if (const auto complaint = milliseconds_complaint(number, least))
    bad_argument(object.Env(), what + "." + key + ": " + *complaint);
  return number;
}

/// Number.MAX_SAFE_INTEGER.
constexpr double kLargestWhole = 9007199254740991;

double whole_number(const Napi::Object& object, const char* key, const std::string& what, double least, double most) {
  const Napi::Value value = object.Get(key);
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : NAN;
  if (!(number >= least && number <= most) || number != std::floor(number))
    bad_argument(object.Env(), what + "." + key + ": expected a whole number from " +
                                   std::to_string(static_cast<int64_t>(least)) + " on");
  return number;
}

/// From the root: the thread's working directory is the daemon's.
std::string to_path(const Napi::Value& value, const std::string& what) {
  const std::string path = to_string(value, what);
  if (path.empty() || path[0] != '/') bad_argument(value.Env(), what + ": expected a path that begins with /");
  return path;
}

Fields::Value to_value(const Napi::Value& value, const std::string& what) {
  if (value.IsNull()) return nullptr;
  if (value.IsBoolean()) return value.As<Napi::Boolean>().Value();
  if (value.IsNumber()) return value.As<Napi::Number>().DoubleValue();
  return to_string(value, what);
}

/// Every field but `kind`, which says whose they are.
Fields to_fields(const Napi::Object& object, const std::string& what) {
  std::map<std::string, Fields::Value> values;
  const Napi::Array names = object.GetPropertyNames();
  for (uint32_t i = 0; i < names.Length(); i++) {
    const std::string name = to_string(Napi::Value(names.Get(i)).ToString(), what);
    const Napi::Value value = object.Get(name);
    if (name != "kind" && is_given(value)) values.emplace(name, to_value(value, what + "." + name));
  }
  return Fields(what, std::move(values));
}

SensorMaker to_sensor(const Napi::Value& value, const std::string& what) {
  const Napi::Object object = to_object(value, what);
  const Napi::Value name = object.Get("kind");
  const SensorKind* kind = name.IsString() ? find_sensor_kind(name.As<Napi::String>().Utf8Value()) : nullptr;
  if (kind == nullptr) bad_argument(value.Env(), what + ".kind: expected " + sensor_kind_names());
  try {
    const Fields fields = to_fields(object, what);
    fields.allow_only(kind->fields);
    return kind->prepare(fields);
  } catch (const Error& error) {
    bad_argument(value.Env(), error.what());
  }
}

std::vector<std::string> to_argv(const Napi::Value& value) {
  if (!value.IsArray() || value.As<Napi::Array>().Length() == 0)
    bad_argument(value.Env(), "run.argv: expected an array that begins with the path of the script");
  const Napi::Array array = value.As<Napi::Array>();
  std::vector<std::string> argv;
  for (uint32_t i = 0; i < array.Length(); i++)
    argv.push_back(to_string(array.Get(i), "run.argv[" + std::to_string(i) + "]"));
  if (argv[0].find('/') == std::string::npos)
    bad_argument(value.Env(), "run.argv[0]: expected a path with a slash; no search through PATH is done");
  return argv;
}

std::vector<std::string> to_paths(const Napi::Value& value, const std::string& what) {
  if (!value.IsArray()) bad_argument(value.Env(), what + ": expected an array of paths");
  const Napi::Array array = value.As<Napi::Array>();
  std::vector<std::string> paths;
  for (uint32_t i = 0; i < array.Length(); i++) paths.push_back(to_string(array.Get(i), what + "[" + std::to_string(i) + "]"));
  return paths;
}

}  // namespace

void bad_argument(Napi::Env env, const std::string& message) {
  Napi::TypeError error = Napi::TypeError::New(env, message);
  error.Set("code", Napi::String::New(env, kBadArgument));
  throw error;
}

std::string to_string(const Napi::Value& value, const std::string& what) {
  if (!value.IsString()) bad_argument(value.Env(), what + ": expected a string");
  std::string text = value.As<Napi::String>().Utf8Value();
  // To the kernel the string would end there.
  if (text.find('\0') != std::string::npos) bad_argument(value.Env(), what + ": expected a string without a zero byte");
  return text;
}

std::vector<SensorMaker> to_sensors(const Napi::Value& value) {
  if (!value.IsArray() || value.As<Napi::Array>().Length() == 0)
    bad_argument(value.Env(), "sensors: expected an array with at least one sensor");
  const Napi::Array array = value.As<Napi::Array>();
  std::vector<SensorMaker> sensors;
  for (uint32_t i = 0; i < array.Length(); i++)
    sensors.push_back(to_sensor(array.Get(i), "sensors[" + std::to_string(i) + "]"));
  return sensors;
}

std::vector<WatchRequest> to_watch_requests(const Napi::Value& value) {
  if (!value.IsArray()) bad_argument(value.Env(), "requests: expected an array");
  const Napi::Array array = value.As<Napi::Array>();
  std::vector<WatchRequest> requests;
  requests.reserve(array.Length());
  for (uint32_t i = 0; i < array.Length(); i++) {
    const Napi::HandleScope scope(value.Env());
    const std::string what = "requests[" + std::to_string(i) + "]";
    const Napi::Value request = array.Get(i);
    if (!request.IsObject()) bad_argument(value.Env(), what + ": expected an object");
    const auto object = request.As<Napi::Object>();
    requests.push_back({to_string(object.Get("resource"), what + ".resource"), to_sensors(object.Get("sensors"))});
  }
  return requests;
}

Natures to_natures(const Napi::Value& value) {
  if (!is_given(value)) return Natures::all();
  if (!value.IsArray()) bad_argument(value.Env(), "natures: expected an array");
  const Napi::Array array = value.As<Napi::Array>();
  Natures natures;
  for (uint32_t i = 0; i < array.Length(); i++) {
    const std::string what = "natures[" + std::to_string(i) + "]";
    const auto nature = parse_nature(to_string(array.Get(i), what));
    if (!nature) bad_argument(value.Env(), what + ": expected gone, exited, broken or unreachable");
    natures.add(*nature);
  }
  return natures;
}

Fields to_advice(const Napi::Value& value) { return to_fields(to_object(value, "advice"), "advice"); }

RunSpec to_run(const Napi::Value& value) {
  const Napi::Object object = to_object(value, "run");
  RunSpec spec;
  spec.id = to_string(object.Get("id"), "run.id");
  spec.argv = to_argv(object.Get("argv"));
  const Napi::Object env = to_object(object.Get("env"), "run.env");
  const Napi::Array names = env.GetPropertyNames();
  for (uint32_t i = 0; i < names.Length(); i++) {
    const std::string name = to_string(Napi::Value(names.Get(i)).ToString(), "run.env");
    if (name.empty() || name.find('=') != std::string::npos)
      bad_argument(value.Env(), "run.env: expected names without '=', not \"" + name + "\"");
    spec.env.emplace_back(name, to_string(env.Get(name), "run.env." + name));
  }
  if (is_given(object.Get("cwd"))) spec.cwd = to_string(object.Get("cwd"), "run.cwd");
  spec.timeout_ms = milliseconds(object, "timeoutMs", "run", 0);
  spec.grace_ms = milliseconds(object, "graceMs", "run", 0);
  if (is_given(object.Get("unlessExists"))) spec.unless_exists = to_paths(object.Get("unlessExists"), "run.unlessExists");
  if (is_given(object.Get("unlessAlive"))) spec.unless_alive = to_string(object.Get("unlessAlive"), "run.unlessAlive");
  if (is_given(object.Get("runFile"))) {
    const Napi::Object file = to_object(object.Get("runFile"), "run.runFile");
    spec.run_file = to_path(file.Get("path"), "run.runFile.path");
    spec.run_file_text = to_string(file.Get("text"), "run.runFile.text");
  }
  return spec;
}

AdoptSpec to_adopted_run(const Napi::Value& value) {
  const Napi::Object object = to_object(value, "run");
  AdoptSpec spec;
  spec.id = to_string(object.Get("id"), "run.id");
  if (is_given(object.Get("resource"))) spec.resource = to_string(object.Get("resource"), "run.resource");
  spec.pid = static_cast<pid_t>(whole_number(object, "pid", "run", 2, INT32_MAX));
  spec.start_ticks = static_cast<uint64_t>(whole_number(object, "startTicks", "run", 1, kLargestWhole));
  spec.grace_ms = milliseconds(object, "graceMs", "run", 0);
  if (is_given(object.Get("outputInode")))
    spec.output_inode = static_cast<uint64_t>(whole_number(object, "outputInode", "run", 0, kLargestWhole));
  if (is_given(object.Get("runFile"))) spec.run_file = to_path(object.Get("runFile"), "run.runFile");
  return spec;
}

Napi::Object to_js(Napi::Env env, const NetworkCounters& counters) {
  const auto differences = [&](const Differences& found) {
    Napi::Object object = Napi::Object::New(env);
    const std::pair<const char*, uint64_t> kinds[] = {{"links", found.links},
                                                      {"addresses", found.addresses},
                                                      {"routes", found.routes},
                                                      {"rules", found.rules},
                                                      {"nexthops", found.nexthops}};
    for (const auto& [name, count] : kinds) object.Set(name, static_cast<double>(count));
    return object;
  };
  Napi::Object result = Napi::Object::New(env);
  const std::pair<const char*, uint64_t> numbers[] = {
      {"messages", counters.messages},   {"changes", counters.changes},             {"reads", counters.reads},
      {"overflows", counters.overflows}, {"confirmations", counters.confirmations}, {"audits", counters.audits}};
  for (const auto& [name, count] : numbers) result.Set(name, static_cast<double>(count));
  result.Set("refuted", differences(counters.refuted));
  result.Set("corrected", differences(counters.corrected));
  return result;
}

}  // namespace sockmon
