#include "network/table_names.h"

#include <linux/rtnetlink.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace sockmon {
namespace {

/// Decimal, or hexadecimal with 0x, which ip(8) takes in its files.
std::optional<uint32_t> parse_number(const std::string& text) {
  if (text.empty() || text[0] < '0' || text[0] > '9') return std::nullopt;
  char* end = nullptr;
  errno = 0;
  const unsigned long long number = strtoull(text.c_str(), &end, text.compare(0, 2, "0x") == 0 ? 16 : 10);
  if (*end != 0 || errno != 0 || number == 0 || number > UINT32_MAX) return std::nullopt;
  return static_cast<uint32_t>(number);
}

/// Lines of a number and a name; `#` begins a comment.
std::optional<uint32_t> find_in(const std::filesystem::path& file, const std::string& name) {
  std::ifstream lines(file);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line.substr(0, line.find('#')));
    std::string number, found;
    if (words >> number >> found && found == name) return parse_number(number);
  }
  return std::nullopt;
}

std::vector<std::filesystem::path> files_of(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(folder / "rt_tables.d", none)) {
    if (entry.path().extension() == ".conf") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  files.insert(files.begin(), folder / "rt_tables");
  return files;
}

}  // namespace

std::optional<uint32_t> table_number(const std::string& text, const std::vector<std::string>& folders) {
  if (const auto number = parse_number(text)) return number;
  // They have these names whatever the files say.
  if (text == "main") return RT_TABLE_MAIN;
  if (text == "default") return RT_TABLE_DEFAULT;
  if (text == "local") return RT_TABLE_LOCAL;
  for (const std::string& folder : folders) {
    for (const auto& file : files_of(folder)) {
      if (const auto number = find_in(file, text)) return number;
    }
  }
  return std::nullopt;
}

}  // namespace sockmon
