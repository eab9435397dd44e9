#include "process/listen_spec.h"

#include <arpa/inet.h>

#include <cstring>

#include "process/proc_fs.h"

namespace sockmon {
namespace {

using Address = ListenSpec::Address;

constexpr Address kAnyV4 = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0};

bool is_v4(const Address& address) { return memcmp(address.data(), kAnyV4.data(), 12) == 0; }

std::optional<Address> parse_address(const std::string& text) {
  Address address = kAnyV4;
  if (inet_pton(AF_INET, text.c_str(), address.data() + 12) == 1) return address;
  if (inet_pton(AF_INET6, text.c_str(), address.data()) == 1) return address;
  return std::nullopt;
}

}  // namespace

std::shared_ptr<const ListenSpec> parse_listen(std::string_view text) {
  const auto spec = std::make_shared<ListenSpec>();
  spec->text = text;
  const size_t colon = text.find(':');
  if (colon == text.npos) return nullptr;
  const std::string_view kind = text.substr(0, colon);
  std::string rest(text.substr(colon + 1));
  if (kind == "unix") {
    spec->kind = ListenSpec::Kind::unix_path;
    spec->path = rest;
    if (rest.size() < 2 || (rest[0] != '/' && rest[0] != '@')) return nullptr;
    return spec;
  }
  if (kind != "tcp" && kind != "udp") return nullptr;
  spec->kind = kind == "tcp" ? ListenSpec::Kind::tcp : ListenSpec::Kind::udp;
  const size_t last = rest.rfind(':');
  if (last != rest.npos) {
    std::string host = rest.substr(0, last);
    const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
    if (bracketed) host = host.substr(1, host.size() - 2);
    spec->address = parse_address(host);
    if (!spec->address || is_v4(*spec->address) == bracketed) return nullptr;
    rest = rest.substr(last + 1);
  }
  const auto port = parse_number<uint16_t>(rest);
  if (!port || *port == 0) return nullptr;
  spec->port = *port;
  return spec;
}

}  // namespace sockmon
