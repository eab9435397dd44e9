#include "process/seeker.h"

namespace sockmon {

Seeker::Seeker(Census& census, FolderHub* folders, const ProcessSpec& spec, const OnSign& on_sign)
    : search_(census, spec, [on_sign](const Roll& roll) { on_sign(&roll); }) {
  if (folders == nullptr) return;
  const auto watch = [&](const std::string& path) {
    return std::make_unique<PathWatch>(*folders, path, [on_sign] { on_sign(nullptr); });
  };
  if (!spec.pidfile.empty()) pidfile_ = watch(spec.pidfile);
  // An abstract name has no folder.
  if (spec.listen && !spec.listen->path.empty() && spec.listen->path[0] == '/') socket_ = watch(spec.listen->path);
}

}  // namespace sockmon
