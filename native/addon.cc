// The addon's face: the class Monitor and a few functions, as native/index.d.ts has them.
// With convert*.cc and bridge.cc the only part that knows JavaScript.
#include <napi.h>
#include <sys/file.h>
#include <sys/timex.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "base/error.h"
#include "bridge.h"
#include "convert.h"
#include "process/exit_cause.h"
#include "sensors/table.h"
#include "system/local_time.h"
#include "system/notify.h"
#include "system/reboot.h"
#include "system/write_now.h"

namespace sockmon {
namespace {

Napi::Error to_js_error(Napi::Env env, const Error& error) {
  Napi::Error exception = Napi::Error::New(env, error.what());
  exception.Set("code", Napi::String::New(env, error.code()));
  return exception;
}

[[noreturn]] void throw_to_js(Napi::Env env, const Error& error) { throw to_js_error(env, error); }

class MonitorObject : public Napi::ObjectWrap<MonitorObject> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "Monitor",
                       {InstanceMethod<&MonitorObject::watch>("watch"),
                        InstanceMethod<&MonitorObject::watch_all>("watchAll"),
                        InstanceMethod<&MonitorObject::unwatch>("unwatch"),
                        InstanceMethod<&MonitorObject::snapshot>("snapshot"),
                        InstanceMethod<&MonitorObject::arm_reflex>("armReflex"),
                        InstanceMethod<&MonitorObject::run>("run"),
                        InstanceMethod<&MonitorObject::adopt_run>("adoptRun"),
                        InstanceMethod<&MonitorObject::end_run>("endRun"),
                        InstanceMethod<&MonitorObject::kill>("kill"),
                        InstanceMethod<&MonitorObject::advise>("advise"),
                        InstanceMethod<&MonitorObject::network>("network"),
                        InstanceMethod<&MonitorObject::addresses>("addresses"),
                        InstanceMethod<&MonitorObject::ping>("ping"),
                        InstanceMethod<&MonitorObject::ref>("ref"),
                        InstanceMethod<&MonitorObject::unref>("unref"),
                        InstanceMethod<&MonitorObject::close>("close")});
  }

  explicit MonitorObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<MonitorObject>(info) {
    if (!info[0].IsFunction()) bad_argument(info.Env(), "onEvents: expected a function");
    try {
      bridge_ = Bridge::open(info.Env(), info[0]);
    } catch (const Error& error) {
      throw_to_js(info.Env(), error);
    }
    if (!bridge_) throw Napi::Error::New(info.Env(), "The environment is ending");
    // Not collected while it watches, even if nobody holds it.
    Ref();
  }

 private:
  /// Does it on the monitor and turns its errors into exceptions.
  template <typename Action>
  auto with_monitor(const Napi::CallbackInfo& info, Action action) {
    if (bridge_->closed()) throw_to_js(info.Env(), Error("ESHUTDOWN", "The monitor is closed"));
    try {
      return action(bridge_->monitor());
    } catch (const Error& error) {
      throw_to_js(info.Env(), error);
    }
  }

  Napi::Value reports(Napi::Env env, const std::vector<SensorReport>& reports) {
    napi_value array;
    if (to_js(env, reports, &array) != napi_ok) throw Napi::Error::New(env);
    return {env, array};
  }

  Napi::Value watch(const Napi::CallbackInfo& info) {
    const std::string resource = to_string(info[0], "resource");
    const std::vector<SensorMaker> sensors = to_sensors(info[1]);
    return reports(info.Env(), with_monitor(info, [&](Monitor& monitor) { return monitor.watch(resource, sensors); }));
  }

  Napi::Value watch_all(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    const std::vector<WatchRequest> requests = to_watch_requests(info[0]);
    const auto outcomes = with_monitor(info, [&](Monitor& monitor) { return monitor.watch_all(requests); });
    const Napi::Array result = Napi::Array::New(env, outcomes.size());
    for (uint32_t i = 0; i < outcomes.size(); i++) {
      const Napi::HandleScope scope(env);
      const auto& [told, error] = outcomes[i];
      Napi::Object outcome = Napi::Object::New(env);
      outcome.Set("reports", error ? env.Null() : reports(env, told));
      outcome.Set("error", error ? to_js_error(env, *error).Value() : env.Null());
      result.Set(i, outcome);
    }
    return result;
  }

  Napi::Value snapshot(const Napi::CallbackInfo& info) {
    const std::string resource = to_string(info[0], "resource");
    return reports(info.Env(), with_monitor(info, [&](Monitor& monitor) { return monitor.snapshot(resource); }));
  }

  void unwatch(const Napi::CallbackInfo& info) {
    const std::string resource = to_string(info[0], "resource");
    with_monitor(info, [&](Monitor& monitor) { monitor.unwatch(resource); });
  }

  void arm_reflex(const Napi::CallbackInfo& info) {
    const std::string resource = to_string(info[0], "resource");
    if (info[1].IsNull()) {
      with_monitor(info, [&](Monitor& monitor) { monitor.disarm_reflex(resource); });
      return;
    }
    RunSpec run = to_run(info[1]);
    const Natures natures = to_natures(info[2]);
    with_monitor(info, [&](Monitor& monitor) { monitor.arm_reflex(resource, std::move(run), natures); });
  }

  Napi::Value run(const Napi::CallbackInfo& info) {
    RunSpec run = to_run(info[0]);
    return Napi::Boolean::New(info.Env(), with_monitor(info, [&](Monitor& monitor) { return monitor.run(std::move(run)); }));
  }

  Napi::Value adopt_run(const Napi::CallbackInfo& info) {
    const AdoptSpec spec = to_adopted_run(info[0]);
    return Napi::Boolean::New(info.Env(),
                              with_monitor(info, [&](Monitor& monitor) { return monitor.adopt_run(spec); }));
  }

  void end_run(const Napi::CallbackInfo& info) {
    const std::string id = to_string(info[0], "id");
    with_monitor(info, [&](Monitor& monitor) { monitor.end_run(id); });
  }

  Napi::Value kill(const Napi::CallbackInfo& info) {
    const std::string resource = to_string(info[0], "resource");
    return Napi::Boolean::New(info.Env(), with_monitor(info, [&](Monitor& monitor) { return monitor.kill(resource); }));
  }

  void advise(const Napi::CallbackInfo& info) {
    const std::string resource = to_string(info[0], "resource");
    const int sensor = info[1].IsNumber() ? info[1].As<Napi::Number>().Int32Value() : -1;
    Fields advice = to_advice(info[2]);
    with_monitor(info, [&](Monitor& monitor) { monitor.advise(resource, sensor, std::move(advice)); });
  }

  Napi::Value network(const Napi::CallbackInfo& info) {
    const NetworkCounters counters = with_monitor(info, [](Monitor& monitor) { return monitor.network_counters(); });
    return to_js(info.Env(), counters);
  }

  Napi::Value addresses(const Napi::CallbackInfo& info) {
    const auto texts = with_monitor(info, [](Monitor& monitor) { return monitor.addresses(); });
    const Napi::Array result = Napi::Array::New(info.Env());
    for (const std::string& text : texts) result.Set(result.Length(), text);
    return result;
  }

  Napi::Value ping(const Napi::CallbackInfo& info) {
    const napi_value promise = bridge_->ping();
    if (promise == nullptr) throw Napi::Error::New(info.Env());
    return {info.Env(), promise};
  }

  void ref(const Napi::CallbackInfo&) { bridge_->set_ref(true); }
  void unref(const Napi::CallbackInfo&) { bridge_->set_ref(false); }

  void close(const Napi::CallbackInfo&) {
    if (bridge_->closed()) return;
    bridge_->close();
    Unref();
  }

  std::shared_ptr<Bridge> bridge_;
};

Napi::Value boot_time_ms(const Napi::CallbackInfo& info) { return Napi::Number::New(info.Env(), real_sys().boot_ms()); }

Napi::Value clock_synchronized(const Napi::CallbackInfo& info) {
  timex state{};  // modes 0: only reads
  const int result = adjtimex(&state);
  // ProtectClock= of systemd refuses the reading as well; its own time service leaves a file once it has set the clock.
  if (result == -1) return Napi::Boolean::New(info.Env(), access("/run/systemd/timesync/synchronized", F_OK) == 0);
  return Napi::Boolean::New(info.Env(), (state.status & STA_UNSYNC) == 0);
}

Napi::Value lock_file(const Napi::CallbackInfo& info) {
  const double fd = info[0].IsNumber() ? info[0].As<Napi::Number>().DoubleValue() : -1;
  if (!(fd >= 0 && fd <= INT32_MAX) || fd != static_cast<int>(fd))
    bad_argument(info.Env(), "fd: expected the number of an open file");
  if (retry_eintr([&] { return flock(static_cast<int>(fd), LOCK_EX | LOCK_NB); }) == 0)
    return Napi::Boolean::New(info.Env(), true);
  if (errno != EWOULDBLOCK) throw_to_js(info.Env(), Error::from_errno(errno, "Cannot lock the file"));
  return Napi::Boolean::New(info.Env(), false);
}

Napi::Value capabilities(const Napi::CallbackInfo& info) {
  Napi::Object result = Napi::Object::New(info.Env());
  result.Set("exitInfo", has_exit_info(real_sys()));
  return result;
}

Napi::Value kinds(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Napi::Array result = Napi::Array::New(env);
  for (const SensorKind& kind : sensor_kinds()) {
    const Napi::Array fields = Napi::Array::New(env);
    for (const char* field : kind.fields) fields.Set(fields.Length(), field);
    const Napi::Object reasons = Napi::Object::New(env);
    for (const Reason* reason : kind.reasons) reasons.Set(reason->name, name_of(reason->nature));
    const Napi::Object entry = Napi::Object::New(env);
    entry.Set("kind", kind.name);
    entry.Set("fields", fields);
    entry.Set("reasons", reasons);
    result.Set(result.Length(), entry);
  }
  return result;
}

Napi::Value notify_manager(const Napi::CallbackInfo& info) {
  const std::string message = to_string(info[0], "message");
  const char* address = getenv("NOTIFY_SOCKET");
  return Napi::Boolean::New(info.Env(), address != nullptr && notify(real_sys(), address, message));
}

Napi::Value time_of_day_of(const Napi::CallbackInfo& info) {
  if (!info[0].IsNumber()) bad_argument(info.Env(), "wallMs: expected milliseconds");
  return Napi::String::New(info.Env(), time_of_day(info[0].As<Napi::Number>().DoubleValue()));
}

Napi::Value write_to(const Napi::CallbackInfo& info) {
  if (!info[0].IsNumber() || !info[1].IsBuffer()) throw_to_js(info.Env(), Error("ERR_SOCKMON_ARGUMENT", "writeNow() takes a descriptor and a Buffer"));
  const auto data = info[1].As<Napi::Buffer<char>>();
  return Napi::Number::New(info.Env(), static_cast<double>(write_now(info[0].As<Napi::Number>(), data.Data(), data.Length())));
}

void reboot(const Napi::CallbackInfo& info) {
  const char* forbidden = getenv("SOCKMON_TEST_NO_REBOOT");
  if (forbidden != nullptr && strcmp(forbidden, "1") == 0)
    throw_to_js(info.Env(), Error("EPERM", "Cannot reboot: SOCKMON_TEST_NO_REBOOT forbids it"));
  const bool may_reset = info[0].IsBoolean() && info[0].As<Napi::Boolean>();
  throw_to_js(info.Env(), Error::from_errno(reboot_machine(real_sys(), {}, may_reset), "Cannot reboot"));
}

/** Node's own exit joins libuv's threads first, and one of them may be inside getaddrinfo(3) for half a minute. */
void exit_now(const Napi::CallbackInfo& info) { _exit(info[0].ToNumber().Int32Value()); }

}  // namespace

static Napi::Object init(Napi::Env env, Napi::Object exports) {
  exports.Set("Monitor", MonitorObject::define(env));
  exports.Set("bootTimeMs", Napi::Function::New<boot_time_ms>(env, "bootTimeMs"));
  exports.Set("clockSynchronized", Napi::Function::New<clock_synchronized>(env, "clockSynchronized"));
  exports.Set("lockFile", Napi::Function::New<lock_file>(env, "lockFile"));
  exports.Set("notify", Napi::Function::New<notify_manager>(env, "notify"));
  exports.Set("timeOfDay", Napi::Function::New<time_of_day_of>(env, "timeOfDay"));
  exports.Set("writeNow", Napi::Function::New<write_to>(env, "writeNow"));
  exports.Set("reboot", Napi::Function::New<reboot>(env, "reboot"));
  exports.Set("exitNow", Napi::Function::New<exit_now>(env, "exitNow"));
  exports.Set("kinds", Napi::Function::New<kinds>(env, "kinds"));
  exports.Set("capabilities", Napi::Function::New<capabilities>(env, "capabilities"));
  return exports;
}

NODE_API_MODULE(sockmon, init)

}  // namespace sockmon
