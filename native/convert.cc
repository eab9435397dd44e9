// JavaScript to C++: checks every argument and says what was expected.
#include "convert.h"

#include <cmath>

namespace sockmon {
namespace {

constexpr double kLongestMs = 365.0 * 24 * 3600 * 1000;

Napi::Object to_object(const Napi::Value& value, const std::string& what) {
  if (!value.IsObject() || value.IsArray() || value.IsFunction())
    bad_argument(value.Env(), what + ": expected an object");
  return value.As<Napi::Object>();
}

bool is_given(const Napi::Value& value) { return !value.IsUndefined(); }

std::optional<std::string> optional_string(const Napi::Object& object, const char* key, const std::string& what) {
  const Napi::Value value = object.Get(key);
  if (!is_given(value)) return std::nullopt;
  const std::string text = to_string(value, what + "." + key);
  if (text.empty()) bad_argument(object.Env(), what + "." + key + ": expected a string that is not empty");
  return text;
}

bool optional_bool(const Napi::Object& object, const char* key, const std::string& what, bool fallback) {
  const Napi::Value value = object.Get(key);
  if (!is_given(value)) return fallback;
  if (!value.IsBoolean()) bad_argument(object.Env(), what + "." + key + ": expected true or false");
  return value.As<Napi::Boolean>();
}

double milliseconds(const Napi::Object& object, const char* key, const std::string& what, double least) {
  const Napi::Value value = object.Get(key);
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : NAN;
  if (!(number >= least && number <= kLongestMs)) {
    const std::string least_text = std::to_string(static_cast<int>(least));
    bad_argument(object.Env(),
                 what + "." + key + ": expected milliseconds, at least " + least_text + " and at most a year");
  }
  return number;
}

ProcessSpec to_process(const Napi::Object& object, const std::string& what) {
  ProcessSpec spec;
  spec.pidfile = optional_string(object, "pidfile", what);
  spec.name = optional_string(object, "name", what);
  if (const auto listen = optional_string(object, "listen", what)) {
    spec.listen = parse_listen(*listen);
    if (!spec.listen) {
      bad_argument(object.Env(), what + ".listen: expected tcp:PORT, tcp:ADDRESS:PORT, tcp:[ADDRESS]:PORT, "
                                        "the same with udp, or unix:/PATH, not " + *listen);
    }
  }
  if (!spec.pidfile && !spec.name && !spec.listen)
    bad_argument(object.Env(), what + ": expected at least one of pidfile, name and listen");
  return spec;
}

LinkSpec to_link(const Napi::Object& object, const std::string& what) {
  LinkSpec spec;
  if (!object.Get("interface").IsNull()) {
    spec.interface = to_string(object.Get("interface"), what + ".interface");
    // IFNAMSIZ is 16 with the terminating zero.
    if (spec.interface->empty() || spec.interface->size() > 15)
      bad_argument(object.Env(), what + ".interface: expected null or the name of an interface, 1 to 15 bytes long");
  }
  spec.address = optional_bool(object, "address", what, spec.address);
  spec.default_route = optional_bool(object, "defaultRoute", what, spec.default_route);
  spec.carrier = optional_bool(object, "carrier", what, spec.carrier);
  return spec;
}

SensorSpec to_sensor(const Napi::Value& value, const std::string& what) {
  const Napi::Object object = to_object(value, what);
  const Napi::Value kind = object.Get("kind");
  const std::string name = kind.IsString() ? kind.As<Napi::String>().Utf8Value() : "";
  if (name == "process") return to_process(object, what);
  if (name == "link") return to_link(object, what);
  if (name != "stack") bad_argument(value.Env(), what + ".kind: expected 'process', 'link' or 'stack'");
  StackSpec spec;
  if (is_given(object.Get("everyMs"))) spec.every_ms = milliseconds(object, "everyMs", what, 1);
  return spec;
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
  error.Set("code", Napi::String::New(env, "ERR_SOCKMON_ARGUMENT"));
  throw error;
}

std::string to_string(const Napi::Value& value, const std::string& what) {
  if (!value.IsString()) bad_argument(value.Env(), what + ": expected a string");
  std::string text = value.As<Napi::String>().Utf8Value();
  // To the kernel the string would end there.
  if (text.find('\0') != std::string::npos) bad_argument(value.Env(), what + ": expected a string without a zero byte");
  return text;
}

std::vector<SensorSpec> to_sensors(const Napi::Value& value) {
  if (!value.IsArray() || value.As<Napi::Array>().Length() == 0)
    bad_argument(value.Env(), "sensors: expected an array with at least one sensor");
  const Napi::Array array = value.As<Napi::Array>();
  std::vector<SensorSpec> sensors;
  for (uint32_t i = 0; i < array.Length(); i++)
    sensors.push_back(to_sensor(array.Get(i), "sensors[" + std::to_string(i) + "]"));
  return sensors;
}

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
  return spec;
}

}  // namespace sockmon
