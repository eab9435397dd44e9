// A socket that takes what comes to its address, and which of them are meant by what people write.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "process/listen_spec.h"

namespace sockmon {

struct BoundSocket {
  ListenSpec::Kind kind = ListenSpec::Kind::tcp;
  uint64_t inode = 0;
  /// TCP and UDP: IPv4 as ::ffff:a.b.c.d.
  ListenSpec::Address address{};
  uint16_t port = 0;
  /// IPV6_V6ONLY: a socket on :: then does not serve IPv4.
  bool v6_only = false;
  /// Index of the interface that it is bound to (SO_BINDTODEVICE), 0: none.
  uint32_t interface = 0;
  /// Connections that nobody has accepted yet; of UDP, bytes that nobody has read. Only sock_diag tells.
  uint32_t waiting = 0;
  /// UNIX: as it was bound; an abstract name begins with '@'.
  std::string path;
  /// UNIX: device (as the kernel counts) and inode number of the file, as far as they are known.
  uint32_t file_device = 0;
  uint32_t file_inode = 0;
};

/// Those that serve what is wanted: of a port with an address those bound to exactly that address, or else those bound to all; of a port
/// without one all of it.
std::vector<BoundSocket> serving(const ListenSpec& spec, const std::vector<BoundSocket>& bound);

/// Whether what comes for the address of one is (also) taken by the other.
bool serves_address_of(const BoundSocket& other, const BoundSocket& one);
/// It is bound to all addresses of its family.
bool is_wildcard(const BoundSocket& socket);

/// "127.0.0.53:53", "[::1]:53", "/run/x.sock"
std::string address_words(const BoundSocket& socket);
/// Of several, with commas between them.
std::string addresses_words(const std::vector<BoundSocket>& sockets);

/// Their inode numbers, ascending.
std::vector<uint64_t> inodes_of(const std::vector<BoundSocket>& sockets);

}  // namespace sockmon
