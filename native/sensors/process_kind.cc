// What a process sensor is asked for.
#include "sensors/process.h"

namespace sockmon {

SensorKind process_kind() {
  return {"process", {"pidfile", "name", "listen", "command", "user", "namespace"}, {&kProcessExit}, [](const Fields& fields) {
            ProcessSpec spec;
            spec.pidfile = fields.text("pidfile").value_or("");
            spec.name = fields.text("name").value_or("");
            spec.command = fields.text("command").value_or("");
            if (const auto listen = fields.text("listen")) {
              spec.listen = parse_listen(*listen);
              if (!spec.listen)
                fields.refuse("listen", "expected tcp:PORT, tcp:ADDRESS:PORT, tcp:[ADDRESS]:PORT, the same with udp, "
                                        "or unix:/PATH, not " + *listen);
            }
            if (spec.pidfile.empty() && !spec.has_words() && !spec.listen)
              fields.refuse("expected at least one of pidfile, name, listen and command");
            if (const auto user = fields.text("user")) spec.user = UserSpec{*user, find_user(*user)};
            if (const auto which = fields.text("namespace")) {
              if (*which != "own" && *which != "any") fields.refuse("namespace", "expected own or any, not " + *which);
              spec.any_namespace = *which == "any";
            }
            return watch_process(std::move(spec));
          }};
}

SensorMaker watch_process(ProcessSpec spec) {
  const RollNeeds needs = needs_of(spec);
  auto shared = std::make_shared<const ProcessSpec>(std::move(spec));
  return {[shared = std::move(shared)](const SensorWorld& world, SensorHost& host) -> std::unique_ptr<Sensor> {
            return std::make_unique<ProcessSensor>(world.reactor, host, world.processes, shared);
          },
          needs};
}

}  // namespace sockmon
