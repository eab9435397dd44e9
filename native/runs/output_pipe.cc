#include "runs/output_pipe.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

namespace sockmon {
namespace {

constexpr size_t kOutputLimit = 4096;
/// Of one look: a script that writes without end must not keep the thread to itself.
constexpr size_t kDrainLimit = 1 << 20;

}  // namespace

OutputPipe::OutputPipe(Reactor& reactor, UniqueFd fd, std::function<void()> closed)
    : closed_(std::move(closed)), tail_(kOutputLimit) {
  if (fd) pipe_ = std::make_unique<FdWatch>(reactor, std::move(fd), EPOLLIN, [this](uint32_t) { on_output(); });
}

void OutputPipe::on_output() {
  drain();
  if (pipe_) return;
  const auto closed = std::move(closed_);
  closed();
}

void OutputPipe::drain() {
  char buffer[16384];
  for (size_t total = 0; pipe_ && total < kDrainLimit;) {
    const ssize_t got = retry_eintr([&] { return read(pipe_->fd(), buffer, sizeof buffer); });
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) return pipe_.reset();
    total += static_cast<size_t>(got);
    tail_.append({buffer, static_cast<size_t>(got)});
  }
}

uint64_t pipe_inode(int fd) {
  struct stat status {};
  return fstat(fd, &status) == 0 && S_ISFIFO(status.st_mode) ? status.st_ino : 0;
}

UniqueFd reopen_output(const ProcFs& proc, pid_t pid, uint64_t inode) {
  if (inode == 0) return UniqueFd();
  for (const char* number : {"1", "2"}) {
    const std::string path = proc.root() + "/" + std::to_string(pid) + "/fd/" + number;
    // Looked at before it is opened: opening a device can have an effect, and a named FIFO is not ours.
    char target[64];
    const ssize_t size = readlink(path.c_str(), target, sizeof target);
    if (size <= 0 || "pipe:[" + std::to_string(inode) + "]" != std::string(target, static_cast<size_t>(size))) continue;
    UniqueFd fd(open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
    if (fd && pipe_inode(fd.get()) == inode) return fd;
  }
  return UniqueFd();
}

}  // namespace sockmon
