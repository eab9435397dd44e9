// A listening socket as people write it: `tcp:53`, `tcp:127.0.0.1:53`, `tcp:[::1]:53`, `udp:53`, `unix:/run/x.sock`.
#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace sockmon {

struct ListenSpec {
  enum class Kind { tcp, udp, unix_path };
  using Address = std::array<uint8_t, 16>;

  /// As it was written.
  std::string text;
  Kind kind = Kind::tcp;
  /// IPv4 as ::ffff:a.b.c.d; absent: any address.
  std::optional<Address> address;
  uint16_t port = 0;
  std::string path;
};

/// Null if the text is not of one of the forms above.
std::shared_ptr<const ListenSpec> parse_listen(std::string_view text);

}  // namespace sockmon
