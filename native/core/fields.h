// The settings of one sensor as plain named values. Each kind of sensor reads its own.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace sockmon {

class Fields {
 public:
  using Value = std::variant<std::nullptr_t, bool, double, std::string>;

  /// `what` stands before every complaint, e.g. "sensors[0]".
  Fields(std::string what, std::map<std::string, Value> values) : what_(std::move(what)), values_(std::move(values)) {}

  // All of them throw Error ERR_SOCKMON_ARGUMENT, which says what was expected.

  /// Nothing else than these is there: a misspelt field would be a wish that nobody hears.
  void allow_only(const std::vector<const char*>& names) const;
  /// Text that is not empty; nothing if it is not given.
  std::optional<std::string> text(const std::string& name) const;
  bool flag(const std::string& name, bool fallback) const;
  /// From `least` to a year.
  double milliseconds(const std::string& name, double least, double fallback) const;
  /// A whole number from 0 to 2^31-1; nothing if it is not given.
  std::optional<int> whole(const std::string& name) const;
  /// Given, and null.
  bool is_null(const std::string& name) const;

  [[noreturn]] void refuse(const std::string& complaint) const;
  [[noreturn]] void refuse(const std::string& name, const std::string& complaint) const;

 private:
  const Value* find(const std::string& name) const;

  const std::string what_;
  const std::map<std::string, Value> values_;
};

/// The code of the errors above.
constexpr const char* kBadArgument = "ERR_SOCKMON_ARGUMENT";
/// "expected milliseconds, at least 1 and at most a year", or nothing if the number is in that range.
std::optional<std::string> milliseconds_complaint(double number, double least);

}  // namespace sockmon
