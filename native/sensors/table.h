// All kinds of sensors.
#pragma once
#include <string>
#include <vector>

#include "core/sensor.h"

namespace sockmon {

const std::vector<SensorKind>& sensor_kinds();

/// Null for a kind that does not exist.
const SensorKind* find_sensor_kind(const std::string& name);

/// For a complaint: "'process', 'link' or 'stack'".
std::string sensor_kind_names();

}  // namespace sockmon
