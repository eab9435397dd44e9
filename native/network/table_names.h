// The names of routing tables, as ip(8) knows them.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace sockmon {

/// Where `rt_tables` and `rt_tables.d/*.conf` are looked for: iproute2 has moved its own from /etc to /usr (6.5: lib, 6.6: share).
inline const std::vector<std::string> kTableFolders{"/etc/iproute2", "/usr/share/iproute2", "/usr/lib/iproute2"};

/// Of a table's number (1 to 4294967295) or name; nothing for a name that is not known.
std::optional<uint32_t> table_number(const std::string& text, const std::vector<std::string>& folders = kTableFolders);

}  // namespace sockmon
