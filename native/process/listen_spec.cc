#include "process/listen_spec.h"

#include <arpa/inet.h>

#include <cstring>
#include <sstream>

#include "process/proc_fs.h"

namespace sockmon {
namespace {

using Address = ListenSpec::Address;

constexpr Address kAnyV4 = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0};
constexpr Address kAnyV6 = {};

bool is_v4(const Address& address) { return memcmp(address.data(), kAnyV4.data(), 12) == 0; }

std::optional<Address> parse_address(const std::string& text) {
  Address address = kAnyV4;
  if (inet_pton(AF_INET, text.c_str(), address.data() + 12) == 1) return address;
  if (inet_pton(AF_INET6, text.c_str(), address.data()) == 1) return address;
  return std::nullopt;
}

/// The kernel prints an address as 32-bit words in the byte order of the machine.
std::optional<Address> parse_hex_address(std::string_view hex) {
  if (hex.size() != 8 && hex.size() != 32) return std::nullopt;
  Address address = kAnyV4;
  uint8_t* out = address.data() + (hex.size() == 8 ? 12 : 0);
  for (size_t i = 0; i < hex.size(); i += 8) {
    const auto word = parse_number<uint32_t>(hex.substr(i, 8), 16);
    if (!word) return std::nullopt;
    memcpy(out + i / 2, &*word, sizeof *word);
  }
  return address;
}

/// 2: exactly the wanted address, 1: all addresses of the family (:: serves IPv4 too), 0: another one.
int match(const Address& bound, const std::optional<Address>& wanted) {
  if (!wanted || bound == *wanted) return 2;
  if (bound == kAnyV6) return 1;
  return bound == kAnyV4 && is_v4(*wanted) ? 1 : 0;
}

struct Best {
  int score = 0;
  uint64_t inode = 0;
};

/// proc_net_tcp: "sl local_address rem_address st tx:rx tr:tm retrnsmt uid timeout inode".
void scan_inet(const std::string& table, std::string_view wanted_state, const ListenSpec& spec, Best& best) {
  std::istringstream lines(table);
  std::string line;
  while (std::getline(lines, line)) {
    std::istringstream words(line);
    std::string slot, local, remote, state, queues, timer, retransmits, uid, timeout, inode_text;
    words >> slot >> local >> remote >> state >> queues >> timer >> retransmits >> uid >> timeout >> inode_text;
    const size_t colon = local.find(':');
    if (state != wanted_state || colon == local.npos) continue;
    const auto address = parse_hex_address(local.substr(0, colon));
    const auto port = parse_number<uint16_t>(std::string_view(local).substr(colon + 1), 16);
    const auto inode = parse_number<uint64_t>(inode_text);
    if (!address || !port || *port != spec.port || !inode || *inode == 0) continue;
    const int score = match(*address, spec.address);
    if (score > best.score) best = {score, *inode};
  }
}

/// /proc/net/unix: "Num RefCount Protocol Flags Type St Inode Path"; __SO_ACCEPTCON (0x10000) is set on listeners,
/// datagram sockets (type 2) need no listen(2).
std::optional<uint64_t> scan_unix(const std::string& table, const std::string& path) {
  std::istringstream lines(table);
  std::string line;
  while (std::getline(lines, line)) {
    std::istringstream words(line);
    std::string slot, references, protocol, flags, type, state, inode_text, bound;
    words >> slot >> references >> protocol >> flags >> type >> state >> inode_text >> std::ws;
    std::getline(words, bound);
    const auto bits = parse_number<uint32_t>(flags, 16);
    const auto inode = parse_number<uint64_t>(inode_text);
    if (bound != path || !bits || !inode) continue;
    if ((*bits & 0x10000) != 0 || type == "0002") return inode;
  }
  return std::nullopt;
}

}  // namespace

std::optional<ListenSpec> parse_listen(std::string_view text) {
  ListenSpec spec;
  spec.text = text;
  const size_t colon = text.find(':');
  if (colon == text.npos) return std::nullopt;
  const std::string_view kind = text.substr(0, colon);
  std::string rest(text.substr(colon + 1));
  if (kind == "unix") {
    spec.kind = ListenSpec::Kind::unix_path;
    spec.path = rest;
    if (rest.size() < 2 || (rest[0] != '/' && rest[0] != '@')) return std::nullopt;
    return spec;
  }
  if (kind != "tcp" && kind != "udp") return std::nullopt;
  spec.kind = kind == "tcp" ? ListenSpec::Kind::tcp : ListenSpec::Kind::udp;
  const size_t last = rest.rfind(':');
  if (last != rest.npos) {
    std::string host = rest.substr(0, last);
    const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
    if (bracketed) host = host.substr(1, host.size() - 2);
    spec.address = parse_address(host);
    if (!spec.address || is_v4(*spec.address) == bracketed) return std::nullopt;
    rest = rest.substr(last + 1);
  }
  const auto port = parse_number<uint16_t>(rest);
  if (!port || *port == 0) return std::nullopt;
  spec.port = *port;
  return spec;
}

std::optional<uint64_t> listening_inode(const ProcFs& proc, const ListenSpec& spec) {
  if (spec.kind == ListenSpec::Kind::unix_path) return scan_unix(proc.net_table("unix"), spec.path);
  const bool tcp = spec.kind == ListenSpec::Kind::tcp;
  // TCP_LISTEN = 0A; an unconnected UDP socket is in TCP_CLOSE = 07.
  const char* state = tcp ? "0A" : "07";
  Best best;
  scan_inet(proc.net_table(tcp ? "tcp" : "udp"), state, spec, best);
  scan_inet(proc.net_table(tcp ? "tcp6" : "udp6"), state, spec, best);
  if (best.score == 0) return std::nullopt;
  return best.inode;
}

}  // namespace sockmon
