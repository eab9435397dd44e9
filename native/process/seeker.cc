#include "process/seeker.h"

namespace sockmon {

Seeker::Seeker(Census& census, FolderHub* folders, const std::shared_ptr<const ProcessSpec>& spec, const OnSign& on_sign)
    : search_(census, *spec, [on_sign](const Roll& roll) { on_sign(&roll); }) {
  if (folders == nullptr) return;
  const auto watch = [&](std::shared_ptr<const std::string> path) {
    return std::make_unique<PathWatch>(*folders, std::move(path), [on_sign] { on_sign(nullptr); });
  };
  if (!spec->pidfile.empty()) pidfile_ = watch({spec, &spec->pidfile});
  // An abstract name has no folder.
  const auto& listen = spec->listen;
  if (listen && !listen->path.empty() && listen->path[0] == '/') socket_ = watch({listen, &listen->path});
}

}  // namespace sockmon
