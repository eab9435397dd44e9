// What can be asked of the monitor: the input half of native/index.d.ts.
#pragma once
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "process/listen_spec.h"

namespace sockmon {

struct ProcessSpec {
  std::optional<std::string> pidfile;
  std::optional<std::string> name;
  std::optional<ListenSpec> listen;
};

struct LinkSpec {
  /// Absent: the interface that carries the default route.
  std::optional<std::string> interface;
  bool address = true;
  bool default_route = true;
  bool carrier = false;
};

struct StackSpec {
  double every_ms = 60'000;
};

using SensorSpec = std::variant<ProcessSpec, LinkSpec, StackSpec>;

struct RunSpec {
  std::string id;
  std::vector<std::string> argv;
  /// The whole environment of the script.
  std::vector<std::pair<std::string, std::string>> env;
  std::string cwd = "/";
  /// 0 = never.
  double timeout_ms = 0;
  double grace_ms = 0;
  /// Not started, with ECANCELED, when one of these paths exists at that moment.
  std::vector<std::string> unless_exists;
};

}  // namespace sockmon
