#include "process/exec_events.h"

#include <arpa/inet.h>
#include <linux/cn_proc.h>
#include <linux/connector.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "base/sys.h"

namespace sockmon {
namespace {

/// The kernel answers from within send(2), or not at all: in a container it says nothing.
constexpr int kAnswerMs = 100;
/// Room for some 1300 events while a look is under way.
constexpr int kBuffer = 1 << 20;

constexpr uint32_t kWhat = NLMSG_HDRLEN + sizeof(cn_msg);
/// Process id and thread group id begin every event that is let through.
constexpr uint32_t kPid = kWhat + offsetof(proc_event, event_data);
constexpr uint32_t kGroup = kPid + sizeof(__kernel_pid_t);
/// Named by number: older headers have other values for kinds that are not needed here.
constexpr uint32_t kNone = 0, kExec = 0x2, kComm = 0x200;

bool filter(int fd) {
  // The filter reads numbers in network order, and the connector writes them in the machine's.
  sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kWhat),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htonl(kNone), 6, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htonl(kExec), 5, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htonl(kComm), 0, 5),
      // Threads that give themselves a name are not meant.
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kPid),
      BPF_STMT(BPF_MISC | BPF_TAX, 0),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kGroup),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_X, 0, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
      BPF_STMT(BPF_RET | BPF_K, 0),
  };
  const sock_fprog program{sizeof code / sizeof *code, code};
  return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0;
}

bool subscribe(int fd, uint32_t number) {
  struct {
    nlmsghdr header;
    char rest[sizeof(cn_msg) + sizeof(uint32_t)];
  } request{};
  static_assert(sizeof request == NLMSG_LENGTH(sizeof(cn_msg) + sizeof(uint32_t)));
  request.header.nlmsg_len = sizeof request;
  request.header.nlmsg_type = NLMSG_DONE;
  cn_msg message{};
  message.id = {CN_IDX_PROC, CN_VAL_PROC};
  // The kernel sends it back plus one. Not so the sequence number, for which it has its own count.
  message.ack = number;
  message.len = sizeof(uint32_t);
  const uint32_t operation = PROC_CN_MCAST_LISTEN;
  memcpy(request.rest, &message, sizeof message);
  memcpy(request.rest + sizeof message, &operation, sizeof operation);
  return retry_eintr([&] { return send(fd, &request, sizeof request, 0); }) == sizeof request;
}

/// Whether the request was granted. What others are told meanwhile is of no interest yet.
bool is_granted(int fd, uint32_t number) {
  // The answer itself may be lost among the events of a busy machine.
  const double deadline_ms = real_sys().boot_ms() + kAnswerMs;
  while (real_sys().boot_ms() < deadline_ms) {
    pollfd poll{fd, POLLIN, 0};
    if (retry_eintr([&] { return ::poll(&poll, 1, kAnswerMs); }) <= 0) return false;
    char buffer[512];
    const ssize_t got = retry_eintr([&] { return recv(fd, buffer, sizeof buffer, 0); });
    if (got < 0 && errno != ENOBUFS && errno != EAGAIN) return false;
    const ExecEvent event = got > 0 ? read_exec_event(buffer, static_cast<size_t>(got)) : ExecEvent();
    if (event.answers == number) return event.error == 0;
  }
  return false;
}

}  // namespace

ExecEvent read_exec_event(const void* data, size_t size) {
  ExecEvent event;
  const char* bytes = static_cast<const char*>(data);
  const auto number_at = [&](size_t at) {
    uint32_t number = 0;
    memcpy(&number, bytes + at, sizeof number);
    return number;
  };
  if (size < kGroup + sizeof(uint32_t)) return event;
  cn_msg message;
  memcpy(&message, bytes + NLMSG_HDRLEN, sizeof message);
  if (message.id.idx != CN_IDX_PROC || message.id.val != CN_VAL_PROC) return event;
  const uint32_t what = number_at(kWhat);
  if (what == kNone) {
    event.answers = message.ack - 1;
    event.error = number_at(kPid);
  } else if (what == kExec || (what == kComm && number_at(kPid) == number_at(kGroup))) {
    event.pid = static_cast<pid_t>(number_at(kGroup));
  }
  return event;
}

std::optional<ExecEvents> ExecEvents::open() {
  UniqueFd fd(socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_CONNECTOR));
  // The filter first: from bind(2) on others may have asked for everything already.
  if (!fd || !filter(fd.get())) return std::nullopt;
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUF, &kBuffer, sizeof kBuffer);
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = CN_IDX_PROC;
  if (bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return std::nullopt;
  const auto number = static_cast<uint32_t>(real_sys().boot_ms() * 1000);
  if (!subscribe(fd.get(), number) || !is_granted(fd.get(), number)) return std::nullopt;
  return ExecEvents(std::move(fd));
}

bool ExecEvents::take(std::vector<pid_t>& pids) const {
  bool is_whole = true;
  for (;;) {
    char buffer[512];
    sockaddr_nl from{};
    socklen_t from_size = sizeof from;
    const ssize_t got = retry_eintr(
        [&] { return recvfrom(fd_.get(), buffer, sizeof buffer, 0, reinterpret_cast<sockaddr*>(&from), &from_size); });
    if (got < 0 && errno == ENOBUFS) {
      is_whole = false;
      continue;
    }
    if (got <= 0) return is_whole;
    // Any process may send to this socket; only the kernel is believed.
    if (from.nl_pid != 0) continue;
    const ExecEvent event = read_exec_event(buffer, static_cast<size_t>(got));
    if (event.pid > 0 && (pids.empty() || pids.back() != event.pid)) pids.push_back(event.pid);
  }
}

}  // namespace sockmon
