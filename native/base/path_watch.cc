#include "base/path_watch.h"

#include <unistd.h>

#include <algorithm>

#include "base/error.h"

namespace sockmon {
namespace {

constexpr int kMostTries = 8;

}  // namespace

PathWatch::PathWatch(FolderHub& hub, std::string path, std::function<void()> on_sign)
    : hub_(hub), path_(std::move(path)), on_sign_(std::move(on_sign)) {
  look();
}

void PathWatch::look() {
  size_t slash = path_.rfind('/');
  size_t end = path_.size();
  int tries = 0;
  while (slash != std::string::npos) {
    const std::string folder = slash == 0 ? "/" : path_.substr(0, slash);
    try {
      auto watch = hub_.watch(folder, [this](const std::string& name) { on_entry(name); });
      watch_ = std::move(watch);
      awaited_ = path_.substr(slash + 1, end - slash - 1);
      is_folder_of_file_ = end == path_.size();
      // It has come between the two attempts; or it is no folder, and never will be one.
      const bool has_come = !is_folder_of_file_ && ++tries < kMostTries && access(path_.substr(0, end).c_str(), F_OK) == 0;
      if (!has_come) return;
      slash = path_.rfind('/');
      end = path_.size();
      continue;
    } catch (const Error& error) {
      // Out of watches, say: what is looked at now and then is found all the same.
      if (error.code() != "ENOENT" && error.code() != "ENOTDIR") return watch_.reset();
    }
    if (slash == 0) return watch_.reset();
    end = slash;
    slash = path_.rfind('/', slash - 1);
  }
}

void PathWatch::on_entry(const std::string& name) {
  if (!name.empty() && name != awaited_) return;
  // A folder on the way has come, or the watched one has gone.
  if (name.empty() || !is_folder_of_file_) look();
  const auto on_sign = on_sign_;  // a copy, so that it may destroy this
  on_sign();
}

}  // namespace sockmon
