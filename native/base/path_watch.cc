#include "base/path_watch.h"

#include <linux/limits.h>
#include <unistd.h>

#include <string_view>

#include "base/error.h"

namespace sockmon {
namespace {

constexpr int kMostTries = 8;

}  // namespace

PathWatch::PathWatch(FolderHub& hub, std::shared_ptr<const std::string> path, std::function<void()> on_sign)
    : Watch(hub), path_(std::move(path)), on_sign_(std::move(on_sign)) {
  look();
}

void PathWatch::look() {
  const std::string& path = *path_;
  // The kernel takes no longer one.
  if (path.size() >= PATH_MAX) return;
  for (int tries = 0; !look_at_file(); tries++) {
    size_t end = path.size();
    size_t slash = path.rfind('/');
    for (;; end = slash, slash = path.rfind('/', slash - 1)) {
      if (slash == std::string::npos) return watch_nothing();
      try {
        watch_folder(slash == 0 ? "/" : path.substr(0, slash));
        break;
      } catch (const Error& error) {
        // Out of watches, say: what is looked at now and then is found all the same.
        if ((error.code() != "ENOENT" && error.code() != "ENOTDIR") || slash == 0) return watch_nothing();
      }
    }
    awaited_begin_ = static_cast<uint16_t>(slash + 1);
    awaited_end_ = static_cast<uint16_t>(end);
    // It has come between the two attempts; or it cannot be watched itself, and never will be.
    if (tries == kMostTries || access(path.substr(0, end).c_str(), F_OK) != 0) return;
  }
}

bool PathWatch::look_at_file() {
  try {
    watch_file(*path_);
  } catch (const Error&) {
    return false;
  }
  awaited_begin_ = awaited_end_ = 0;
  return true;
}

void PathWatch::on_entry(const std::string& name) {
  const auto awaited = std::string_view(*path_).substr(awaited_begin_, awaited_end_ - awaited_begin_);
  if (!name.empty() && name != awaited) return;
  // It is another file now perhaps, a folder on the way has come, or the watched one has gone.
  look();
  const auto on_sign = on_sign_;  // a copy, so that it may destroy this
  on_sign();
}

}  // namespace sockmon
