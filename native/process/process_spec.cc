#include "process/process_spec.h"

#include <pwd.h>

#include <cstdio>
#include <memory>

#include "process/proc_fs.h"

namespace sockmon {

std::optional<uid_t> find_user(const std::string& text) {
  if (const auto number = parse_number<uint32_t>(text)) return number;
  const std::unique_ptr<FILE, int (*)(FILE*)> file(fopen("/etc/passwd", "re"), fclose);
  if (!file) return std::nullopt;
  passwd entry{};
  passwd* found = nullptr;
  char buffer[4096];
  while (fgetpwent_r(file.get(), &entry, buffer, sizeof buffer, &found) == 0) {
    if (text == entry.pw_name) return entry.pw_uid;
  }
  return std::nullopt;
}

}  // namespace sockmon
