// Tells what comes, goes and is written in folders, or of single files: one inotify(7) instance for all, as a user may have 128 of them.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>

#include "base/reactor.h"

namespace sockmon {

class FolderHub {
 public:
  /// Gets the name of an entry that has come, gone or been written. Empty: look at everything, as messages were lost, the folder itself has
  /// gone, or it is a file that is watched. May add and destroy watches.
  using Callback = std::function<void(const std::string& name)>;

  /// Watches as long as it lives. Links in a list of those who watch the same, so that each one is a single allocation: there may be
  /// thousands.
  class Watch {
   public:
    virtual ~Watch() { hub_.leave(*this); }
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;

   protected:
    explicit Watch(FolderHub& hub) : hub_(hub) {}
    /// Instead of what it has watched until now, which it goes on with when this throws Error: ENOENT, ENOTDIR, EMFILE (instances),
    /// ENOSPC (watches). What is there already is not told: watch first, then look.
    void watch_folder(const std::string& path) { hub_.watch_folder(*this, path); }
    /// Of a file that exists: that it was written, renamed or removed. What else is written in its folder wakes nobody.
    void watch_file(const std::string& path) { hub_.watch_file(*this, path); }
    void watch_nothing() { hub_.leave(*this); }
    /// As a Callback.
    virtual void on_entry(const std::string& name) = 0;

   private:
    friend class FolderHub;
    FolderHub& hub_;
    Watch* previous_ = nullptr;
    Watch* next_ = nullptr;
    /// The kernel's number of what is watched; negative: nothing.
    int number_ = -1;
  };

  explicit FolderHub(Reactor& reactor) : reactor_(reactor) {}
  FolderHub(const FolderHub&) = delete;
  FolderHub& operator=(const FolderHub&) = delete;

  /// Of a folder. Throws as Watch::watch_folder does.
  std::unique_ptr<Watch> watch(const std::string& path, Callback callback);

 private:
  void open();
  void watch_folder(Watch& watch, const std::string& path);
  void watch_file(Watch& watch, const std::string& path);
  void join(Watch& watch, int number);
  void leave(Watch& watch);
  void unlink(Watch& watch);
  void on_readable();
  void tell(int number, const std::string& name);
  void tell_all();
  void forget(int number);

  Reactor& reactor_;
  /// Opened with the first watch: most configurations need none.
  std::unique_ptr<FdWatch> inotify_;
  /// The first of those who watch the same, by the kernel's number of it.
  std::unordered_map<int, Watch*> first_;
  /// Who is told next, while some are being told: a callback may destroy it.
  Watch* next_told_ = nullptr;
};

}  // namespace sockmon
