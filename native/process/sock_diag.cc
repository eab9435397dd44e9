#include "process/sock_diag.h"

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/time.h>

#include <cstring>
#include <functional>
#include <memory>

#include "base/unique_fd.h"

namespace sockmon {
namespace {

using Kind = ListenSpec::Kind;

constexpr size_t kBufferSize = 32 << 10;
/// Of UDP sockets without a peer, and of all UNIX sockets that neither listen nor are connected.
constexpr int kTcpClose = 7;

/// Shows each attribute of a message; false if one is cut short.
bool each_attribute(const char* data, size_t size, const std::function<void(uint16_t, const char*, size_t)>& visit) {
  while (size >= sizeof(nlattr)) {
    nlattr attribute;
    memcpy(&attribute, data, sizeof attribute);
    if (attribute.nla_len < NLA_HDRLEN || attribute.nla_len > size) return false;
    visit(attribute.nla_type & NLA_TYPE_MASK, data + NLA_HDRLEN, attribute.nla_len - NLA_HDRLEN);
    const size_t step = NLA_ALIGN(attribute.nla_len);
    if (step >= size) return true;
    data += step;
    size -= step;
  }
  return true;
}

bool read_inet(const char* data, size_t size, BoundSocket& socket) {
  inet_diag_msg message;
  if (size < sizeof message) return false;
  memcpy(&message, data, sizeof message);
  socket.inode = message.idiag_inode;
  socket.port = ntohs(message.id.idiag_sport);
  socket.interface = message.id.idiag_if;
  socket.waiting = message.idiag_rqueue;
  if (message.idiag_family == AF_INET) {
    socket.address = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    memcpy(socket.address.data() + 12, message.id.idiag_src, 4);
  } else {
    memcpy(socket.address.data(), message.id.idiag_src, 16);
  }
  const size_t head = NLMSG_ALIGN(sizeof message);
  return size <= head || each_attribute(data + head, size - head, [&](uint16_t type, const char* value, size_t length) {
           if (type == INET_DIAG_SKV6ONLY && length >= 1) socket.v6_only = *value != 0;
         });
}

bool read_unix(const char* data, size_t size, BoundSocket& socket, bool& takes) {
  unix_diag_msg message;
  if (size < sizeof message) return false;
  memcpy(&message, data, sizeof message);
  socket.inode = message.udiag_ino;
  // Datagram sockets need no listen(2).
  takes = message.udiag_state == TCP_LISTEN || message.udiag_type == SOCK_DGRAM;
  const size_t head = NLMSG_ALIGN(sizeof message);
  return size <= head || each_attribute(data + head, size - head, [&](uint16_t type, const char* value, size_t length) {
           if (type == UNIX_DIAG_NAME && length > 0) {
             // A path ends with a zero byte, an abstract name begins with one and ends where it ends.
             const bool abstract = value[0] == '\0';
             socket.path = abstract ? "@" + std::string(value + 1, length - 1) : std::string(value, strnlen(value, length));
           } else if (type == UNIX_DIAG_VFS && length >= sizeof(unix_diag_vfs)) {
             unix_diag_vfs file;
             memcpy(&file, value, sizeof file);
             socket.file_device = file.udiag_vfs_dev;
             socket.file_inode = file.udiag_vfs_ino;
           } else if (type == UNIX_DIAG_RQLEN && length >= sizeof(unix_diag_rqlen)) {
             unix_diag_rqlen queue;
             memcpy(&queue, value, sizeof queue);
             socket.waiting = queue.udiag_rqueue;
           }
         });
}

struct Request {
  nlmsghdr header;
  union {
    inet_diag_req_v2 inet;
    unix_diag_req unix_;
  } body;
};

Request request_for(Kind kind, uint8_t family, uint16_t port, uint32_t sequence) {
  Request request;
  memset(&request, 0, sizeof request);
  size_t size = sizeof(inet_diag_req_v2);
  if (kind == Kind::unix_path) {
    size = sizeof(unix_diag_req);
    request.body.unix_.sdiag_family = AF_UNIX;
    request.body.unix_.udiag_states = (1U << TCP_LISTEN) | (1U << kTcpClose);
    request.body.unix_.udiag_show = UDIAG_SHOW_NAME | UDIAG_SHOW_VFS | UDIAG_SHOW_RQLEN;
  } else {
    request.body.inet.sdiag_family = family;
    request.body.inet.sdiag_protocol = kind == Kind::tcp ? IPPROTO_TCP : IPPROTO_UDP;
    request.body.inet.idiag_states = 1U << (kind == Kind::tcp ? static_cast<int>(TCP_LISTEN) : kTcpClose);
    request.body.inet.id.idiag_sport = htons(port);
    request.body.inet.id.idiag_cookie[0] = request.body.inet.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
  }
  request.header.nlmsg_len = static_cast<uint32_t>(NLMSG_LENGTH(size));
  request.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  request.header.nlmsg_seq = sequence;
  return request;
}

/// errno, or 0.
int dump(Sys& sys, int fd, Kind kind, const Request& request, char* buffer, std::vector<BoundSocket>& sockets) {
  if (retry_eintr([&] { return sys.send(fd, &request, request.header.nlmsg_len, 0); }) < 0) return errno;
  for (;;) {
    const ssize_t got = retry_eintr([&] { return sys.recv(fd, buffer, kBufferSize, 0); });
    if (got <= 0) return got < 0 ? errno : EPROTO;
    const DiagBatch batch = read_diag(buffer, static_cast<size_t>(got), request.header.nlmsg_seq, kind, sockets);
    if (batch.error != 0) return batch.error;
    if (batch.done) return 0;
  }
}

}  // namespace

DiagBatch read_diag(const void* data, size_t size, uint32_t sequence, Kind kind, std::vector<BoundSocket>& sockets) {
  const char* next = static_cast<const char*>(data);
  while (size >= sizeof(nlmsghdr)) {
    nlmsghdr header;
    memcpy(&header, next, sizeof header);
    if (header.nlmsg_len < sizeof header || header.nlmsg_len > size) return {false, EBADMSG};
    const char* body = next + NLMSG_HDRLEN;
    const size_t length = header.nlmsg_len - NLMSG_HDRLEN;
    if (header.nlmsg_seq == sequence) {
      if (header.nlmsg_type == NLMSG_DONE) return {true, 0};
      if (header.nlmsg_type == NLMSG_ERROR) {
        int32_t error = 0;
        if (length < sizeof error) return {false, EBADMSG};
        memcpy(&error, body, sizeof error);
        return {true, error < 0 ? -error : EBADMSG};
      }
      BoundSocket socket;
      socket.kind = kind;
      bool takes = true;
      const bool whole = kind == Kind::unix_path ? read_unix(body, length, socket, takes) : read_inet(body, length, socket);
      if (!whole) return {false, EBADMSG};
      // Nobody holds one without a number: it is on its way out.
      if (takes && socket.inode != 0) sockets.push_back(std::move(socket));
    }
    const size_t step = NLMSG_ALIGN(header.nlmsg_len);
    if (step >= size) return {};
    next += step;
    size -= step;
  }
  return {false, size == 0 ? 0 : EBADMSG};
}

std::optional<std::vector<BoundSocket>> diagnose_sockets(Sys& sys, Kind kind, uint16_t port) {
  UniqueFd fd(sys.socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
  if (!fd) return std::nullopt;
  const timeval patience{1, 0};
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  const std::unique_ptr<char[]> buffer(new char[kBufferSize]);  // not zeroed: this may be on the way to the reflex
  std::vector<BoundSocket> sockets;
  uint32_t sequence = 0;
  const bool is_unix = kind == Kind::unix_path;
  for (const uint8_t family : {AF_INET, AF_INET6}) {
    if (is_unix && family != AF_INET) break;
    const Request request = request_for(kind, family, port, ++sequence);
    const int error = dump(sys, fd.get(), kind, request, buffer.get(), sockets);
    // A kernel without IPv6 has no sockets of it.
    if (error == 0 || (family == AF_INET6 && error == ENOENT)) continue;
    errno = error;
    return std::nullopt;
  }
  return sockets;
}

}  // namespace sockmon
