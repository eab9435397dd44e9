// Where the kernel would send a packet: a lookup in its routing tables (RTM_GETROUTE of rtnetlink(7)). No packet is sent.
#pragma once
#include <cmath>
#include <cstdint>
#include <optional>

#include "base/sys.h"
#include "base/unique_fd.h"
#include "network/facts.h"

namespace sockmon {

struct Bytes;

struct RouteQuery {
  IpAddress to;
  /// Of the packet, as `ip rule` looks for it with fwmark; 0: none.
  uint32_t mark = 0;
  /// The index of the VRF that the packet is sent in; 0: none.
  int vrf = 0;
};

struct Path {
  int link = 0;
  /// None: whoever is meant is on the link.
  IpAddress gateway;
  /// Of the packet, where the sender chooses none. It may stand on another link.
  IpAddress source;
  /// How long it holds, in ms, if nothing is told. A route that a router has advertised (IPv6) expires without a word: the kernel tells only when
  /// it collects what has expired, every 30 s (net.ipv6.route.gc_interval). So is it prolonged, also one that has expired already.
  double lasts_ms = INFINITY;
};

/// A part of the kernel that can be asked.
class Router {
 public:
  virtual ~Router() = default;
  /// Nothing: it would not send the packet anywhere, or only to this machine itself. Throws Error where it cannot be asked.
  virtual std::optional<Path> find(const RouteQuery& query) = 0;
};

/**
 * Asks the kernel on a socket that stays open, so that it can be asked when no descriptor is left. It answers without the lock of the network's
 * changes (Linux 4.13 for IPv4, 4.15 for IPv6), within 10 us. It does so also through a device that has no carrier.
 */
class KernelRouter final : public Router {
 public:
  explicit KernelRouter(Sys& sys) : sys_(sys) {}

  std::optional<Path> find(const RouteQuery& query) override;

 private:
  struct Answer {
    Path path;
    /// RTPROT_*
    uint8_t protocol = 0;
  };
  static std::optional<Answer> read(const Bytes& body, int family);
  std::optional<Answer> ask(const RouteQuery& query, unsigned flags);
  void open();

  Sys& sys_;
  UniqueFd fd_;
  uint32_t sequence_ = 0;
};

/// Nothing if it is no address.
std::optional<IpAddress> parse_address(const std::string& text);

}  // namespace sockmon
