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

}  // namespace sockmon
