#include "process/process_name.h"

#include <strings.h>

#include <algorithm>
#include <array>
#include <vector>

namespace sockmon {
namespace {

/// TASK_COMM_LEN is 16 with the terminating zero.
constexpr size_t kCommLength = 15;
/// As far as a name is looked for in a command line: an interpreter's own options come before its script.
constexpr size_t kFirstWords = 8;

constexpr std::array<std::string_view, 8> kShells = {"sh", "bash", "dash", "ash", "zsh", "ksh", "mksh", "busybox"};
constexpr std::array<std::string_view, 13> kInterpreters = {"python", "pypy", "perl", "ruby",  "node",  "nodejs", "php",
                                                            "lua",    "luajit", "tclsh", "guile", "gawk", "Rscript"};
/// One file with many programs in it.
constexpr std::array<std::string_view, 3> kMultiCall = {"busybox", "toybox", "coreutils"};
/// Options of interpreters whose value is a word of its own.
constexpr std::array<std::string_view, 6> kWithValue = {"-W", "-X", "-r", "--require", "--import", "-I"};

template <size_t Size>
bool is_one_of(const std::array<std::string_view, Size>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// "python3.11" is python.
std::string_view without_version(std::string_view name) {
  const size_t end = name.find_last_not_of("0123456789.-");
  return end == name.npos ? name : name.substr(0, end + 1);
}

std::string_view argv0(const ProcessFacts& facts) {
  return facts.argv.empty() ? std::string_view() : base_name(facts.argv[0]);
}

bool is_shell(const ProcessFacts& facts) {
  return is_one_of(kShells, argv0(facts)) || is_one_of(kShells, base_name(facts.executable));
}

bool is_named_by_comm(const ProcessFacts& facts, std::string_view name) {
  return !name.empty() && facts.stat.comm == name.substr(0, kCommLength);
}

/// /etc/init.d/x, or /etc/rc.common /etc/init.d/x: what starts and stops x, and bears its name.
bool is_service_script(const ProcessFacts& facts) {
  const size_t words = std::min<size_t>(facts.argv.size(), 4);
  return std::any_of(facts.argv.begin(), facts.argv.begin() + static_cast<long>(words), [](const std::string& word) {
    return word.find("/init.d/") != word.npos || word.find("/rc.d/") != word.npos;
  });
}

/// A name longer than comm is cut there: the rest must stand in the command line.
bool is_long_comm(const ProcessFacts& facts, const std::string& name) {
  if (!is_named_by_comm(facts, name)) return false;
  const size_t words = std::min(facts.argv.size(), kFirstWords);
  return std::any_of(facts.argv.begin(), facts.argv.begin() + static_cast<long>(words),
                     [&](const std::string& word) { return base_name(word) == name; });
}

bool is_executable_named(const ProcessFacts& facts, const std::string& name) {
  return base_name(facts.executable) == name && !is_interpreter(facts) && !is_one_of(kMultiCall, name);
}

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); j++) row[j] = j;
  for (size_t i = 1; i <= a.size(); i++) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); j++) {
      const size_t changed = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, changed});
    }
  }
  return row[b.size()];
}

/// Two neighbours that change places: the slip of fast fingers, and two wrong letters to edit_distance().
bool is_swapped(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  const size_t at = static_cast<size_t>(std::mismatch(a.begin(), a.end(), b.begin()).first - a.begin());
  return at + 1 < a.size() && a[at] == b[at + 1] && a[at + 1] == b[at] && a.substr(at + 2) == b.substr(at + 2);
}

}  // namespace

std::string_view base_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

bool is_interpreter(const ProcessFacts& facts) {
  const auto knows = [](std::string_view name) {
    return is_one_of(kShells, name) || is_one_of(kInterpreters, without_version(name));
  };
  return knows(base_name(facts.executable)) || knows(argv0(facts));
}

std::string script_name(const ProcessFacts& facts) {
  const bool interprets = is_interpreter(facts);
  for (size_t i = 1; i < std::min(facts.argv.size(), kFirstWords); i++) {
    const std::string& word = facts.argv[i];
    // execve(2) of a file with #! names the process after that file, whatever the interpreter is.
    if (is_named_by_comm(facts, base_name(word)) && argv0(facts) != base_name(word)) return std::string(base_name(word));
    if (!interprets) continue;
    if (word == "-m" && i + 1 < facts.argv.size()) return facts.argv[i + 1];
    // The program itself is on the command line.
    if (word == "-c" || word == "-e") return "";
    if (is_one_of(kWithValue, word)) i++;
    else if (!word.empty() && word[0] != '-') return std::string(base_name(word));
  }
  return "";
}

bool has_name(const ProcessFacts& facts, const std::string& name) {
  if (argv0(facts) == name) return true;
  if (is_service_script(facts)) return false;
  if (name.size() <= kCommLength ? facts.stat.comm == name : is_long_comm(facts, name)) return true;
  return script_name(facts) == name || is_executable_named(facts, name);
}

bool has_name_in_script(const ProcessFacts& facts, const std::string& name) {
  if (argv0(facts) == name) return true;
  // The leader of the session is the restart script itself.
  if (facts.stat.pid == facts.stat.session || is_shell(facts) || is_service_script(facts)) return false;
  return script_name(facts) == name || is_executable_named(facts, name);
}

int likeness(std::string_view name, std::string_view wanted) {
  constexpr size_t kFewest = 3, kMost = 64;
  if (name.size() < kFewest || wanted.size() < kFewest || name.size() > kMost || wanted.size() > kMost) return 0;
  if (name.size() == wanted.size() && strncasecmp(name.data(), wanted.data(), name.size()) == 0) return 4;
  const std::string_view shorter = name.size() < wanted.size() ? name : wanted;
  const std::string_view longer = name.size() < wanted.size() ? wanted : name;
  if (longer.substr(0, shorter.size()) == shorter) return 3;
  if (shorter.size() >= 5 && longer.find(shorter) != longer.npos) return 2;
  if (shorter.size() > kFewest && is_swapped(name, wanted)) return 2;
  // One wrong letter in four, two in eight.
  const size_t bearable = shorter.size() / 4;
  if (bearable == 0 || longer.size() - shorter.size() > bearable) return 0;
  return edit_distance(name, wanted) <= std::min<size_t>(bearable, 2) ? 2 : 0;
}

}  // namespace sockmon
