#include "base/folder_hub.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <vector>

#include "base/error.h"

namespace sockmon {
namespace {

/// A second watch of the same would replace the first one's events without IN_MASK_ADD.
constexpr uint32_t kFolderEvents = IN_CREATE | IN_DELETE | IN_MOVED_TO | IN_MODIFY | IN_ONLYDIR | IN_MASK_ADD;
/// IN_ATTRIB: its number of links has changed, by unlink(2) or rename(2) over it. IN_DELETE_SELF waits for the last one that has it open.
constexpr uint32_t kFileEvents = IN_MODIFY | IN_ATTRIB | IN_MOVE_SELF | IN_DELETE_SELF | IN_MASK_ADD;

class CallbackWatch final : public FolderHub::Watch {
 public:
  CallbackWatch(FolderHub& hub, const std::string& path, FolderHub::Callback callback) : Watch(hub), callback_(std::move(callback)) {
    watch_folder(path);
  }

 private:
  void on_entry(const std::string& name) override {
    const auto callback = callback_;  // a copy, so that it may destroy this
    callback(name);
  }

  const FolderHub::Callback callback_;
};

}  // namespace

std::unique_ptr<FolderHub::Watch> FolderHub::watch(const std::string& path, Callback callback) {
  return std::make_unique<CallbackWatch>(*this, path, std::move(callback));
}

void FolderHub::open() {
  if (inotify_) return;
  UniqueFd fd(reactor_.sys().inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!fd) throw Error::from_errno(errno, "Cannot open inotify(7)");
  inotify_ = std::make_unique<FdWatch>(reactor_, std::move(fd), EPOLLIN, [this](uint32_t) { on_readable(); });
}

void FolderHub::watch_folder(Watch& watch, const std::string& path) {
  open();
  const int number = reactor_.sys().inotify_add_watch(inotify_->fd(), path.c_str(), kFolderEvents);
  if (number < 0) throw Error::from_errno(errno, "Cannot watch the folder " + path);
  join(watch, number);
}

void FolderHub::watch_file(Watch& watch, const std::string& path) {
  open();
  const int number = reactor_.sys().inotify_add_watch(inotify_->fd(), path.c_str(), kFileEvents);
  if (number < 0) throw Error::from_errno(errno, "Cannot watch the file " + path);
  join(watch, number);
}

void FolderHub::join(Watch& watch, int number) {
  if (watch.number_ == number) return;
  leave(watch);
  // In front: who has come in a callback is not told what was before.
  Watch*& first = first_[number];
  watch.number_ = number;
  watch.next_ = first;
  if (first != nullptr) first->previous_ = &watch;
  first = &watch;
}

void FolderHub::leave(Watch& watch) {
  if (watch.number_ < 0) return;
  const int number = watch.number_;
  unlink(watch);
  // Fails when it has gone, and the kernel's watch with it.
  if (first_.find(number) == first_.end()) inotify_rm_watch(inotify_->fd(), number);
}

void FolderHub::unlink(Watch& watch) {
  if (next_told_ == &watch) next_told_ = watch.next_;
  if (watch.next_ != nullptr) watch.next_->previous_ = watch.previous_;
  if (watch.previous_ != nullptr) watch.previous_->next_ = watch.next_;
  else if (watch.next_ != nullptr) first_[watch.number_] = watch.next_;
  else first_.erase(watch.number_);
  watch.previous_ = watch.next_ = nullptr;
  watch.number_ = -1;
}

void FolderHub::on_readable() {
  alignas(inotify_event) char buffer[16384];
  const ssize_t size = retry_eintr([&] { return read(inotify_->fd(), buffer, sizeof buffer); });
  for (ssize_t at = 0; at + static_cast<ssize_t>(sizeof(inotify_event)) <= size;) {
    const auto* event = reinterpret_cast<const inotify_event*>(buffer + at);
    at += static_cast<ssize_t>(sizeof *event + event->len);
    if ((event->mask & IN_Q_OVERFLOW) != 0) {
      tell_all();
    } else if ((event->mask & IN_IGNORED) != 0) {
      tell(event->wd, "");
      forget(event->wd);
    } else {
      tell(event->wd, event->len > 0 ? event->name : "");
    }
  }
}

void FolderHub::tell(int number, const std::string& name) {
  const auto found = first_.find(number);
  next_told_ = found == first_.end() ? nullptr : found->second;
  // A callback that is left by an exception leaves the others untold, as nobody goes on here then; the next event begins anew.
  while (next_told_ != nullptr) {
    Watch& watch = *next_told_;
    next_told_ = watch.next_;
    watch.on_entry(name);
  }
}

void FolderHub::tell_all() {
  std::vector<int> numbers;
  for (const auto& [number, first] : first_) numbers.push_back(number);
  for (const int number : numbers) tell(number, "");
}

/// The kernel has ended this watch: nobody is told of it any more.
void FolderHub::forget(int number) {
  for (auto found = first_.find(number); found != first_.end(); found = first_.find(number)) unlink(*found->second);
}

}  // namespace sockmon
