#include "core/reason.h"

namespace sockmon {

const char* name_of(Nature nature) {
  switch (nature) {
    case Nature::gone:
      return "gone";
    case Nature::exited:
      return "exited";
    case Nature::broken:
      return "broken";
    case Nature::unreachable:
      break;
  }
  return "unreachable";
}

std::optional<Nature> parse_nature(std::string_view name) {
  for (const Nature nature : {Nature::gone, Nature::exited, Nature::broken, Nature::unreachable}) {
    if (name == name_of(nature)) return nature;
  }
  return std::nullopt;
}

}  // namespace sockmon
