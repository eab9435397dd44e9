#include "base/folder_hub.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <vector>

#include "base/error.h"

namespace sockmon {
namespace {

/// The same for every watch: a second one of the same folder would replace the first one's.
constexpr uint32_t kEvents = IN_CREATE | IN_DELETE | IN_MOVED_TO | IN_MODIFY | IN_ONLYDIR;

}  // namespace

void FolderHub::open() {
  if (inotify_) return;
  UniqueFd fd(reactor_.sys().inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!fd) throw Error::from_errno(errno, "Cannot open inotify(7)");
  inotify_ = std::make_unique<FdWatch>(reactor_, std::move(fd), EPOLLIN, [this](uint32_t) { on_readable(); });
}

std::unique_ptr<FolderHub::Watch> FolderHub::watch(const std::string& path, Callback callback) {
  open();
  const int folder = reactor_.sys().inotify_add_watch(inotify_->fd(), path.c_str(), kEvents);
  if (folder < 0) throw Error::from_errno(errno, "Cannot watch the folder " + path);
  const uint64_t id = next_id_++;
  folders_[folder].emplace(id, std::make_shared<Callback>(std::move(callback)));
  return std::make_unique<Watch>(*this, folder, id);
}

void FolderHub::remove(int folder, uint64_t id) {
  const auto found = folders_.find(folder);
  if (found == folders_.end()) return;
  found->second.erase(id);
  if (!found->second.empty()) return;
  folders_.erase(found);
  // Fails when the folder has gone, and the watch with it.
  inotify_rm_watch(inotify_->fd(), folder);
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
      folders_.erase(event->wd);
    } else if (event->len > 0) {
      tell(event->wd, event->name);
    }
  }
}

void FolderHub::tell(int folder, const std::string& name) {
  const auto found = folders_.find(folder);
  if (found == folders_.end()) return;
  // By number: a callback may destroy others.
  std::vector<uint64_t> ids;
  for (const auto& [id, callback] : found->second) ids.push_back(id);
  for (const uint64_t id : ids) {
    const auto still = folders_.find(folder);
    if (still == folders_.end()) return;
    const auto callback = still->second.find(id);
    if (callback == still->second.end()) continue;
    const auto held = callback->second;
    (*held)(name);
  }
}

void FolderHub::tell_all() {
  std::vector<int> folders;
  for (const auto& [folder, callbacks] : folders_) folders.push_back(folder);
  for (const int folder : folders) tell(folder, "");
}

}  // namespace sockmon
