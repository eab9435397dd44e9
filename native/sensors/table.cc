#include "sensors/table.h"

#include "sensors/connection.h"
#include "sensors/link.h"
#include "sensors/process.h"
#include "sensors/stack.h"
#include "sensors/unit.h"

namespace sockmon {

const std::vector<SensorKind>& sensor_kinds() {
  static const std::vector<SensorKind> kinds = {
      process_kind(),
      unit_kind(),
      connection_kind(),
      uplink_kind(),
      link_kind(),
      stack_kind(),
  };
  return kinds;
}

const SensorKind* find_sensor_kind(const std::string& name) {
  for (const SensorKind& kind : sensor_kinds()) {
    if (name == kind.name) return &kind;
  }
  return nullptr;
}

std::string sensor_kind_names() {
  const auto& kinds = sensor_kinds();
  std::string names;
  for (size_t i = 0; i < kinds.size(); i++) {
    if (i > 0) names += i + 1 == kinds.size() ? " or " : ", ";
    names += std::string("'") + kinds[i].name + "'";
  }
  return names;
}

}  // namespace sockmon
