#include "network/link_hub.h"

#include <algorithm>

#include "base/error.h"
#include "network/netlink.h"

namespace sockmon {
namespace {

constexpr size_t kBufferSize = 32 << 10;
constexpr double kRetryMs = 1000;

}  // namespace

LinkHub::LinkHub(Reactor& reactor) : reactor_(reactor), retry_(reactor, [this] { refresh(); }) {}

void LinkHub::subscribe(LinkObserver* observer) {
  observers_.push_back(observer);
  if (knows_) return;
  try {
    read();
  } catch (const Error& error) {
    // The others have heard of it already.
    observer->on_hub_fault(error.code(), error.what());
    retry_.arm(kRetryMs);
  }
}

void LinkHub::unsubscribe(LinkObserver* observer) {
  observers_.erase(std::remove(observers_.begin(), observers_.end(), observer), observers_.end());
  if (!observers_.empty()) return;
  events_.reset();
  retry_.cancel();
  knows_ = false;
}

void LinkHub::read() {
  if (!events_) {
    UniqueFd fd = open_network_events(reactor_.sys());
    if (!buffer_) buffer_.reset(new char[kBufferSize]);
    events_ = std::make_unique<FdWatch>(reactor_, std::move(fd), EPOLLIN, [this](uint32_t) { on_ready(); });
  }
  // Listening already: what changes during the dump is heard of.
  state_ = dump_network(reactor_.sys());
  knows_ = true;
}

void LinkHub::on_ready() {
  if (!drain()) return;
  for (LinkObserver* observer : observers_) observer->on_hint(state_);
  refresh();
}

/// False if nothing of it can matter.
bool LinkHub::drain() {
  bool matters = false;
  NetworkState ignored;
  for (;;) {
    const ssize_t got = retry_eintr([&] { return reactor_.sys().recv(events_->fd(), buffer_.get(), kBufferSize, 0); });
    if (got < 0) {
      // ENOBUFS: messages were lost, and nothing else will tell. Any other error is as good a reason to look.
      if (errno == EAGAIN) return matters;
      matters = true;
      if (errno != ENOBUFS) return true;
      continue;
    }
    matters |= read_messages(buffer_.get(), static_cast<size_t>(got), 0, ignored).matters;
  }
}

void LinkHub::refresh() {
  try {
    read();
  } catch (const Error& error) {
    for (LinkObserver* observer : observers_) observer->on_hub_fault(error.code(), error.what());
    retry_.arm(kRetryMs);
    return;
  }
  retry_.cancel();
  for (LinkObserver* observer : observers_) observer->on_network(state_);
}

}  // namespace sockmon
