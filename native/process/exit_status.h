// How a process ended.
#pragma once

namespace sockmon {

struct ExitCause {
  enum class Kind { unknown, exit, signal };
  Kind kind = Kind::unknown;
  /// The exit code or the signal number.
  int value = 0;
  bool core_dumped = false;

  bool known() const { return kind != Kind::unknown; }
};

}  // namespace sockmon
