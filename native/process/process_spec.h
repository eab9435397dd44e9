// What is known of the process that is wanted.
#pragma once
#include <optional>
#include <string>

#include "process/listen_spec.h"

namespace sockmon {

/// At least one is given.
struct ProcessSpec {
  std::optional<std::string> pidfile;
  std::optional<std::string> name;
  std::optional<ListenSpec> listen;
};

}  // namespace sockmon
