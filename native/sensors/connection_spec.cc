#include "sensors/connection_spec.h"

#include <charconv>

namespace sockmon {
namespace {

constexpr size_t kMostBytes = 1024;
/// The kernel counts keepalives in whole seconds, and needs three for one that may get lost.
constexpr double kLeastSilenceMs = 3000;

std::string read_bytes(const Fields& fields, const char* name) {
  const auto text = fields.text(name);
  if (!text) return "";
  const auto bytes = unescape(*text);
  if (!bytes) fields.refuse(name, "expected \\r, \\n, \\t, \\\\ or \\xHH (two hexadecimal digits) where a backslash stands");
  if (bytes->size() > kMostBytes) fields.refuse(name, "expected at most " + std::to_string(kMostBytes) + " bytes");
  return *bytes;
}

}  // namespace

ConnectionSpec read_connection_spec(const Fields& fields) {
  const std::string text = fields.text("to").value_or("");
  auto to = PeerAddress::parse(text);
  if (!to)
    fields.refuse("to", "expected tcp:ADDRESS:PORT, tcp:[ADDRESS]:PORT, tcp:localhost:PORT, unix:/PATH or unix:@NAME, not \"" + text +
                            "\". Host names are not looked up: write the address");
  ConnectionSpec spec{std::move(*to)};
  spec.silent_after_ms = fields.milliseconds("silentAfterMs", kLeastSilenceMs, spec.silent_after_ms);
  spec.connect_timeout_ms = fields.milliseconds("connectTimeoutMs", 1, spec.connect_timeout_ms);
  spec.greeting = read_bytes(fields, "greeting");
  spec.expect = read_bytes(fields, "expect");
  return spec;
}

std::optional<std::string> unescape(std::string_view text) {
  std::string bytes;
  for (size_t i = 0; i < text.size(); i++) {
    if (text[i] != '\\') {
      bytes += text[i];
      continue;
    }
    if (++i == text.size()) return std::nullopt;
    switch (text[i]) {
      case 'r':
        bytes += '\r';
        break;
      case 'n':
        bytes += '\n';
        break;
      case 't':
        bytes += '\t';
        break;
      case '\\':
        bytes += '\\';
        break;
      case 'x': {
        unsigned byte = 0;
        const std::string_view digits = text.substr(i + 1, 2);
        const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), byte, 16);
        if (digits.size() != 2 || error != std::errc() || end != digits.data() + 2) return std::nullopt;
        bytes += static_cast<char>(byte);
        i += 2;
        break;
      }
      default:
        return std::nullopt;
    }
  }
  return bytes;
}

}  // namespace sockmon
