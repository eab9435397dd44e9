#include "runs/output_tail.h"

namespace sockmon {
namespace {

bool is_continuation(char byte) { return (static_cast<unsigned char>(byte) & 0xc0) == 0x80; }

/// Length of the valid character at the start of `bytes`; 0 if there is none.
size_t character_size(std::string_view bytes) {
  const auto at = [&](size_t i) { return static_cast<unsigned char>(bytes[i]); };
  const unsigned char first = at(0);
  if (first == 0) return 0;
  if (first < 0x80) return 1;
  if (first < 0xc2 || first >= 0xf5) return 0;
  const size_t size = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  if (bytes.size() < size) return 0;
  for (size_t i = 1; i < size; i++) {
    if (!is_continuation(bytes[i])) return 0;
  }
  // Overlong forms, surrogates and what lies beyond U+10FFFF.
  if (first == 0xe0 && at(1) < 0xa0) return 0;
  if (first == 0xed && at(1) >= 0xa0) return 0;
  if (first == 0xf0 && at(1) < 0x90) return 0;
  if (first == 0xf4 && at(1) >= 0x90) return 0;
  return size;
}

}  // namespace

std::string to_utf8(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size());
  while (!bytes.empty()) {
    const size_t size = character_size(bytes);
    text.append(size > 0 ? bytes.substr(0, size) : std::string_view("\xef\xbf\xbd"));
    bytes.remove_prefix(size > 0 ? size : 1);
  }
  return text;
}

void OutputTail::append(std::string_view bytes) {
  total_ += bytes.size();
  if (bytes.size() >= limit_) {
    bytes_.assign(bytes.substr(bytes.size() - limit_));
    return;
  }
  bytes_.append(bytes);
  // Cut only now and then: moving the rest for every line would cost more than the spare room.
  if (bytes_.size() > 2 * limit_) bytes_.erase(0, bytes_.size() - limit_);
}

std::string OutputTail::text() const {
  std::string_view tail = bytes_;
  if (tail.size() > limit_) tail.remove_prefix(tail.size() - limit_);
  if (truncated()) {
    // At most three: more are no character that the cut went through.
    for (int i = 0; i < 3 && !tail.empty() && is_continuation(tail[0]); i++) tail.remove_prefix(1);
  }
  return to_utf8(tail);
}

}  // namespace sockmon
