// Tells of the coming of one file whose folders may not exist yet, and of its writing.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/folder_hub.h"

namespace sockmon {

/**
 * Watches the file or, while there is none, the nearest folder above it that exists: a file that is there is watched alone, since its folder
 * may be one in which something is written all the time. What it does not see: a folder on the way that is replaced by rename(2), and a
 * symbolic link that is turned to another file; so it is no substitute for looking now and then.
 */
class PathWatch final : private FolderHub::Watch {
 public:
  /// `on_sign`: the file has perhaps come, gone or been written. It may destroy this watch.
  PathWatch(FolderHub& hub, std::shared_ptr<const std::string> path, std::function<void()> on_sign);

 private:
  void look();
  /// False if the file cannot be watched itself: there is none, say.
  bool look_at_file();
  void on_entry(const std::string& name) override;

  /// Of the path, the piece that is awaited in the watched folder; empty: the file itself is watched. Paths have 4096 bytes at most.
  uint16_t awaited_begin_ = 0, awaited_end_ = 0;
  const std::shared_ptr<const std::string> path_;
  const std::function<void()> on_sign_;
};

}  // namespace sockmon
