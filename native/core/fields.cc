#include "core/fields.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "base/error.h"

namespace sockmon {
namespace {

constexpr double kLongestMs = 365.0 * 24 * 3600 * 1000;

}  // namespace

std::optional<std::string> milliseconds_complaint(double number, double least) {
  // A comparison with NaN is false.
  if (number >= least && number <= kLongestMs) return std::nullopt;
  return "expected milliseconds, at least " + std::to_string(static_cast<int>(least)) + " and at most a year";
}

const Fields::Value* Fields::find(const std::string& name) const {
  const auto found = values_.find(name);
  return found == values_.end() ? nullptr : &found->second;
}

void Fields::allow_only(const std::vector<const char*>& names) const {
  for (const auto& [name, value] : values_) {
    const bool known = std::any_of(names.begin(), names.end(), [&](const char* each) { return name == each; });
    if (!known) refuse(name, "is no field of this kind of sensor");
  }
}

std::optional<std::string> Fields::text(const std::string& name) const {
  const Value* value = find(name);
  if (value == nullptr) return std::nullopt;
  const auto* text = std::get_if<std::string>(value);
  if (text == nullptr) refuse(name, "expected a string");
  if (text->empty()) refuse(name, "expected a string that is not empty");
  return *text;
}

bool Fields::flag(const std::string& name, bool fallback) const {
  const Value* value = find(name);
  if (value == nullptr) return fallback;
  const auto* flag = std::get_if<bool>(value);
  if (flag == nullptr) refuse(name, "expected true or false");
  return *flag;
}

double Fields::milliseconds(const std::string& name, double least, double fallback) const {
  const Value* value = find(name);
  if (value == nullptr) return fallback;
  const auto* number = std::get_if<double>(value);
  const auto complaint = number == nullptr ? "expected milliseconds" : milliseconds_complaint(*number, least);
  if (complaint) refuse(name, *complaint);
  return *number;
}

std::optional<int> Fields::whole(const std::string& name) const {
  const Value* value = find(name);
  if (value == nullptr) return std::nullopt;
  const auto* number = std::get_if<double>(value);
  if (number == nullptr || !(*number >= 0 && *number <= INT32_MAX) || *number != std::floor(*number))
    refuse(name, "expected a whole number from 0 to 2147483647");
  return static_cast<int>(*number);
}

bool Fields::is_null(const std::string& name) const {
  const Value* value = find(name);
  return value != nullptr && std::holds_alternative<std::nullptr_t>(*value);
}

void Fields::refuse(const std::string& complaint) const { throw Error(kBadArgument, what_ + ": " + complaint); }

void Fields::refuse(const std::string& name, const std::string& complaint) const {
  throw Error(kBadArgument, what_ + "." + name + ": " + complaint);
}

}  // namespace sockmon
