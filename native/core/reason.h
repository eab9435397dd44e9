// Why something that was watched is not alive any more. Each kind of sensor has a table of its own reasons.
#pragma once
#include <optional>
#include <string_view>

namespace sockmon {

/// What kind of loss it is: decides how long it is borne before it counts as a death, and whether the reflex may act at once.
enum class Nature {
  /// It does not exist any more, or was taken down on purpose: an interface, a socket.
  gone,
  /// Its process has ended; the kernel may tell with what status.
  exited,
  /// It is there, but does not work: an interface without an address, a probe without an answer.
  broken,
  /// Nothing is heard of it, which may be the fault of what lies between.
  unreachable,
};

const char* name_of(Nature nature);
/// Nothing for a word that is none.
std::optional<Nature> parse_nature(std::string_view name);

/// A set of natures: those at which the reflex may act.
class Natures {
 public:
  static Natures all() { return Natures(~0U); }
  Natures() = default;
  void add(Nature nature) { bits_ |= bit(nature); }
  bool has(Nature nature) const { return (bits_ & bit(nature)) != 0; }

 private:
  explicit Natures(unsigned bits) : bits_(bits) {}
  static unsigned bit(Nature nature) { return 1U << static_cast<unsigned>(nature); }
  unsigned bits_ = 0;
};

/// Compared by address: each stands once, in the table of its kind.
struct Reason {
  /// For programs, e.g. "interface_gone".
  const char* name;
  Nature nature;
  /// For people, behind the name of what is watched: "the interface is not there".
  const char* words;
};

}  // namespace sockmon
