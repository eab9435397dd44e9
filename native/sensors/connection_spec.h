// What a held connection is asked to be: pure, from the fields of the sensor.
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "core/fields.h"
#include "network/stream_peer.h"

namespace sockmon {

struct ConnectionSpec {
  PeerAddress to;
  /// TCP only: how long a silent peer is borne.
  double silent_after_ms = 30'000;
  /// How long the server has to accept a connection and to say what is expected.
  double connect_timeout_ms = 3000;
  /// A connection that replaces another one counts when it has lasted this long. A dying process may close its connections before its
  /// listening socket, whose queue then still accepts, and throws out some microseconds later.
  double proof_ms = 1000;
  /// Sent once it is accepted; empty: nothing.
  std::string greeting{};
  /// Must stand in what the server says first, or it does not count as alive; empty: nothing is expected.
  std::string expect{};
};

/// How much of what the server says first is looked through.
inline constexpr size_t kFirstWordsBytes = 4096;

/// Throws Error ERR_SOCKMON_ARGUMENT.
ConnectionSpec read_connection_spec(const Fields& fields);

/// `\r`, `\n`, `\t`, `\\` and `\xHH` (any byte) in a text; nothing if a backslash stands before anything else.
std::optional<std::string> unescape(std::string_view text);

}  // namespace sockmon
