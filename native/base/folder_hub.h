// Tells what comes, goes and is written in folders: one inotify(7) instance for all, as a user may have 128 of them.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>

#include "base/reactor.h"

namespace sockmon {

class FolderHub {
 public:
  /// Gets the name of an entry that has come, gone or been written. Empty: look at everything, as messages were lost or the folder itself has
  /// gone. May add and destroy watches.
  using Callback = std::function<void(const std::string& name)>;

  /// Watches as long as it lives.
  class Watch {
   public:
    Watch(FolderHub& hub, int folder, uint64_t id) : hub_(hub), folder_(folder), id_(id) {}
    ~Watch() { hub_.remove(folder_, id_); }
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;

   private:
    FolderHub& hub_;
    const int folder_;
    const uint64_t id_;
  };

  explicit FolderHub(Reactor& reactor) : reactor_(reactor) {}
  FolderHub(const FolderHub&) = delete;
  FolderHub& operator=(const FolderHub&) = delete;

  /// What is there already is not told: watch first, then look. Throws Error: ENOENT, ENOTDIR, EMFILE (instances), ENOSPC (watches).
  std::unique_ptr<Watch> watch(const std::string& path, Callback callback);

 private:
  using Callbacks = std::map<uint64_t, std::shared_ptr<Callback>>;

  void open();
  void on_readable();
  void tell(int folder, const std::string& name);
  void tell_all();
  void remove(int folder, uint64_t id);

  Reactor& reactor_;
  /// Opened with the first watch: most configurations need none.
  std::unique_ptr<FdWatch> inotify_;
  uint64_t next_id_ = 1;
  /// By the kernel's number of the watched folder, which is the same for all who watch it.
  std::unordered_map<int, Callbacks> folders_;
};

}  // namespace sockmon
