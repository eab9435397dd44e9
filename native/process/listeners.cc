#include "process/listeners.h"

#include <cstring>
#include <initializer_list>
#include <sstream>

#include "process/sock_diag.h"

namespace sockmon {
namespace {

using Kind = ListenSpec::Kind;
using Address = ListenSpec::Address;

/// The kernel prints an address as 32-bit words in the byte order of the machine.
std::optional<Address> parse_hex_address(std::string_view hex) {
  if (hex.size() != 8 && hex.size() != 32) return std::nullopt;
  Address address = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  uint8_t* out = address.data() + (hex.size() == 8 ? 12 : 0);
  for (size_t i = 0; i < hex.size(); i += 8) {
    const auto word = parse_number<uint32_t>(hex.substr(i, 8), 16);
    if (!word) return std::nullopt;
    memcpy(out + i / 2, &*word, sizeof *word);
  }
  return address;
}

/// proc_net_tcp: "sl local_address rem_address st tx:rx tr:tm retrnsmt uid timeout inode".
void scan_inet(const std::string& table, Kind kind, std::vector<BoundSocket>& sockets) {
  // TCP_LISTEN = 0A; an unconnected UDP socket is in TCP_CLOSE = 07.
  const std::string_view wanted_state = kind == Kind::tcp ? "0A" : "07";
  std::istringstream lines(table);
  std::string line;
  while (std::getline(lines, line)) {
    std::istringstream words(line);
    std::string slot, local, remote, state, queues, timer, retransmits, uid, timeout, inode_text;
    words >> slot >> local >> remote >> state >> queues >> timer >> retransmits >> uid >> timeout >> inode_text;
    const size_t colon = local.find(':');
    if (state != wanted_state || colon == local.npos) continue;
    const auto address = parse_hex_address(std::string_view(local).substr(0, colon));
    const auto port = parse_number<uint16_t>(std::string_view(local).substr(colon + 1), 16);
    const auto inode = parse_number<uint64_t>(inode_text);
    if (!address || !port || !inode || *inode == 0) continue;
    BoundSocket socket;
    socket.kind = kind;
    socket.inode = *inode;
    socket.address = *address;
    socket.port = *port;
    sockets.push_back(std::move(socket));
  }
}

/// /proc/net/unix: "Num RefCount Protocol Flags Type St Inode Path"; __SO_ACCEPTCON (0x10000) is set on listeners,
/// datagram sockets (type 2) need no listen(2).
void scan_unix(const std::string& table, std::vector<BoundSocket>& sockets) {
  std::istringstream lines(table);
  std::string line;
  while (std::getline(lines, line)) {
    std::istringstream words(line);
    std::string slot, references, protocol, flags, type, state, inode_text, bound;
    words >> slot >> references >> protocol >> flags >> type >> state >> inode_text >> std::ws;
    std::getline(words, bound);
    const auto bits = parse_number<uint32_t>(flags, 16);
    const auto inode = parse_number<uint64_t>(inode_text);
    if (bound.empty() || !bits || !inode || *inode == 0) continue;
    if ((*bits & 0x10000) == 0 && type != "0002") continue;
    BoundSocket socket;
    socket.kind = Kind::unix_path;
    socket.inode = *inode;
    socket.path = bound;
    sockets.push_back(std::move(socket));
  }
}

std::vector<BoundSocket> sockets_of_kinds(Sys& sys, const ProcFs& proc, std::initializer_list<Kind> kinds) {
  std::vector<BoundSocket> all;
  for (const Kind kind : kinds) {
    for (BoundSocket& socket : sockets_of_kind(sys, proc, kind, 0)) all.push_back(std::move(socket));
  }
  return all;
}

}  // namespace

std::vector<BoundSocket> sockets_of_kind(Sys& sys, const ProcFs& proc, Kind kind, uint16_t port) {
  if (auto sockets = diagnose_sockets(sys, kind, port)) return std::move(*sockets);
  return read_net_tables(proc, kind);
}

std::vector<BoundSocket> read_net_tables(const ProcFs& proc, Kind kind) {
  std::vector<BoundSocket> sockets;
  if (kind == Kind::unix_path) {
    scan_unix(proc.net_table("unix"), sockets);
    return sockets;
  }
  const std::string name = kind == Kind::tcp ? "tcp" : "udp";
  scan_inet(proc.net_table(name), kind, sockets);
  scan_inet(proc.net_table(name + "6"), kind, sockets);
  return sockets;
}

std::vector<BoundSocket> find_listeners(Sys& sys, const ProcFs& proc, const ListenSpec& spec) {
  return serving(spec, sockets_of_kind(sys, proc, spec.kind, spec.port));
}

std::vector<BoundSocket> all_listeners(Sys& sys, const ProcFs& proc) { return sockets_of_kinds(sys, proc, {Kind::tcp, Kind::udp}); }

std::vector<BoundSocket> all_sockets(Sys& sys, const ProcFs& proc) {
  return sockets_of_kinds(sys, proc, {Kind::tcp, Kind::udp, Kind::unix_path});
}

}  // namespace sockmon
