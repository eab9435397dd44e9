// The one exception of the core: a code for programs and a sentence for people.
#pragma once
#include <cstring>
#include <stdexcept>
#include <string>

namespace sockmon {

/// The symbolic name of an errno value, e.g. "ENOENT"; "errno 4711" for an unknown one.
inline std::string errno_name(int error) {
  const char* name = strerrorname_np(error);
  return name != nullptr ? name : "errno " + std::to_string(error);
}

class Error : public std::runtime_error {
 public:
  Error(std::string code, const std::string& message) : std::runtime_error(message), code_(std::move(code)) {}
  /// From errno: "doing: No such file or directory".
  static Error from_errno(int error, const std::string& doing) {
    return Error(errno_name(error), doing + ": " + strerrordesc_np(error));
  }
  const std::string& code() const { return code_; }

 private:
  std::string code_;
};

}  // namespace sockmon
