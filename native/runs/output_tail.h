// The last bytes of what a script wrote.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>

namespace sockmon {

class OutputTail {
 public:
  explicit OutputTail(size_t limit) : limit_(limit) { bytes_.reserve(2 * limit); }

  void append(std::string_view bytes);
  bool truncated() const { return total_ > limit_; }
  /// As valid UTF-8; a character that the cut went through is left out.
  std::string text() const;

 private:
  size_t limit_;
  size_t total_ = 0;
  std::string bytes_;
};

/// Replaces what is not UTF-8 (RFC 3629), and NUL, by U+FFFD.
std::string to_utf8(std::string_view bytes);

}  // namespace sockmon
