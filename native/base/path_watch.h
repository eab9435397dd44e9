// Tells of the coming of one file whose folders may not exist yet.
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "base/folder_hub.h"

namespace sockmon {

/**
 * Watches the folder of the file or, while there is none, the nearest one above it that exists. What it does not see: a folder on the way
 * that is replaced by rename(2), and the target of a symbolic link; so it is no substitute for looking now and then.
 */
class PathWatch {
 public:
  /// `on_sign`: the file has perhaps come, gone or been written. It may destroy this watch.
  PathWatch(FolderHub& hub, std::string path, std::function<void()> on_sign);

 private:
  void look();
  void on_entry(const std::string& name);

  FolderHub& hub_;
  const std::string path_;
  const std::function<void()> on_sign_;
  /// Of the watched folder, the entry that leads to the file.
  std::string awaited_;
  bool is_folder_of_file_ = false;
  std::unique_ptr<FolderHub::Watch> watch_;
};

}  // namespace sockmon
