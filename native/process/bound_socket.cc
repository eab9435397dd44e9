#include "process/bound_socket.h"

#include <arpa/inet.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>

namespace sockmon {
namespace {

using Address = ListenSpec::Address;
using Kind = ListenSpec::Kind;

constexpr Address kAnyV4 = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0};
constexpr Address kAnyV6 = {};

bool is_v4(const Address& address) { return memcmp(address.data(), kAnyV4.data(), 12) == 0; }

/// 2: exactly this address, 1: all addresses of its family (:: serves IPv4 too, unless it is told not to), 0: another one.
int match(const BoundSocket& bound, const Address& wanted) {
  if (bound.address == wanted) return 2;
  if (bound.address == kAnyV6) return is_v4(wanted) && bound.v6_only ? 0 : 1;
  return bound.address == kAnyV4 && is_v4(wanted) ? 1 : 0;
}

std::vector<BoundSocket> serving_inet(const ListenSpec& spec, const std::vector<BoundSocket>& bound) {
  std::vector<BoundSocket> best;
  int score = 1;
  for (const BoundSocket& socket : bound) {
    if (socket.port != spec.port) continue;
    const int one = spec.address ? match(socket, *spec.address) : 1;
    if (one > score) best.clear();
    score = std::max(score, one);
    if (one == score) best.push_back(socket);
  }
  return best;
}

/// The path with all symbolic links of its folder followed, as /run/x for /var/run/x.
std::string resolved(const std::string& path) {
  const size_t slash = path.rfind('/');
  const std::unique_ptr<char, decltype(&free)> folder(realpath(path.substr(0, slash + 1).c_str(), nullptr), free);
  if (!folder) return path;
  const std::string name = folder.get();
  return (name == "/" ? "" : name) + path.substr(slash);
}

struct SocketFile {
  uint32_t device;
  uint32_t inode;
};

std::optional<SocketFile> file_at(const std::string& path) {
  struct stat file {};
  if (path[0] != '/' || stat(path.c_str(), &file) != 0) return std::nullopt;
  // The kernel's own dev_t has 20 bits for the minor number, and unix_diag has 32 bits for the inode number.
  const uint32_t device = (static_cast<uint32_t>(major(file.st_dev)) << 20) | static_cast<uint32_t>(minor(file.st_dev));
  return SocketFile{device, static_cast<uint32_t>(file.st_ino)};
}

std::vector<BoundSocket> serving_unix(const ListenSpec& spec, const std::vector<BoundSocket>& bound) {
  const auto file = file_at(spec.path);
  const std::string path = spec.path[0] == '/' ? resolved(spec.path) : spec.path;
  std::vector<BoundSocket> found;
  for (const BoundSocket& socket : bound) {
    const bool same_name = socket.path == spec.path || socket.path == path;
    // A file system in layers tells another device than stat(2): then the name must help out. Another inode number is another file: one
    // that was removed under a daemon that still listens on it, while its successor has put its own in that place.
    const bool is_same = file && socket.file_inode != 0
                             ? file->inode == socket.file_inode && (file->device == socket.file_device || same_name)
                             : same_name;
    if (is_same) found.push_back(socket);
  }
  return found;
}

}  // namespace

std::vector<BoundSocket> serving(const ListenSpec& spec, const std::vector<BoundSocket>& bound) {
  return spec.kind == Kind::unix_path ? serving_unix(spec, bound) : serving_inet(spec, bound);
}

bool is_wildcard(const BoundSocket& socket) {
  return socket.kind != Kind::unix_path && (socket.address == kAnyV4 || socket.address == kAnyV6);
}

bool serves_address_of(const BoundSocket& other, const BoundSocket& one) {
  if (other.kind != one.kind) return false;
  if (one.kind == Kind::unix_path) return true;  // the file was compared already
  return other.port == one.port && match(other, one.address) > 0;
}

std::string address_words(const BoundSocket& socket) {
  if (socket.kind == Kind::unix_path) return socket.path;
  char text[INET6_ADDRSTRLEN] = "";
  if (is_v4(socket.address)) {
    inet_ntop(AF_INET, socket.address.data() + 12, text, sizeof text);
    return std::string(text) + ":" + std::to_string(socket.port);
  }
  inet_ntop(AF_INET6, socket.address.data(), text, sizeof text);
  return "[" + std::string(text) + "]:" + std::to_string(socket.port);
}

std::vector<uint64_t> inodes_of(const std::vector<BoundSocket>& sockets) {
  std::vector<uint64_t> inodes;
  for (const BoundSocket& socket : sockets) inodes.push_back(socket.inode);
  std::sort(inodes.begin(), inodes.end());
  inodes.erase(std::unique(inodes.begin(), inodes.end()), inodes.end());
  return inodes;
}

std::string addresses_words(const std::vector<BoundSocket>& sockets) {
  std::string words;
  for (const BoundSocket& socket : sockets) words += (words.empty() ? "" : ", ") + address_words(socket);
  return words;
}

}  // namespace sockmon
