#include "process/matching.h"

#include <algorithm>
#include <tuple>
#include <unordered_set>

#include "process/process_name.h"

namespace sockmon {
namespace {

constexpr size_t kMostWords = 100;

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

bool is_another(uint64_t one, uint64_t other) { return one != 0 && other != 0 && one != other; }

}  // namespace

std::string plain_command(const std::string& text) {
  std::string words = " ";
  for (const char c : text) {
    const bool blank = c == ' ' || c == '\t' || c == '\n';
    if (!blank) words += c;
    else if (words.back() != ' ') words += ' ';
  }
  if (words.back() != ' ') words += ' ';
  return words;
}

std::string plain_command(const ProcessFacts& facts) { return plain_command(joined(facts.argv)); }

bool fits_words(const ProcessSpec& spec, const ProcessFacts& facts, bool in_script) {
  if (!spec.name.empty() && !(in_script ? has_name_in_script(facts, spec.name) : has_name(facts, spec.name))) return false;
  return spec.command.empty() || plain_command(facts).find(plain_command(spec.command)) != std::string::npos;
}

bool is_elsewhere(const Namespaces& one, const Namespaces& other) {
  return is_another(one.pid, other.pid) || is_another(one.net, other.net);
}

std::optional<std::string> objection_of_origin(const ProcessSpec& spec, const ProcessFacts& facts, const Namespaces& own) {
  if (spec.user) {
    if (!spec.user->id) return "there is no user " + spec.user->text + " in /etc/passwd (give its number)";
    if (facts.user != *spec.user->id) return process_words(facts) + " is not of the user " + spec.user->text;
  }
  if (spec.any_namespace || !is_elsewhere(facts.namespaces, own)) return std::nullopt;
  const char* what = is_another(facts.namespaces.pid, own.pid) ? "PID" : "network";
  return process_words(facts) + " is in another " + what + " namespace, as in a container (namespace: any would take it)";
}

std::vector<const ProcessFacts*> masters(const std::vector<ProcessFacts>& matches) {
  std::unordered_set<pid_t> pids;
  for (const ProcessFacts& facts : matches) pids.insert(facts.stat.pid);
  std::vector<const ProcessFacts*> found;
  for (const ProcessFacts& facts : matches) {
    if (pids.count(facts.stat.parent) == 0) found.push_back(&facts);
  }
  const auto age = [](const ProcessFacts* facts) { return std::tuple(facts->stat.start_ticks, facts->stat.pid); };
  std::sort(found.begin(), found.end(), [&](const auto* one, const auto* other) { return age(one) < age(other); });
  return found;
}

std::string process_words(const ProcessFacts& facts) {
  std::string command = facts.argv.empty() ? facts.stat.comm : joined(facts.argv);
  // A title that is set over the arguments is padded to the length that they had.
  command.erase(command.find_last_not_of(' ') + 1);
  if (command.size() > kMostWords) command = command.substr(0, kMostWords) + "…";
  return "pid " + std::to_string(facts.stat.pid) + " (" + command + ")";
}

}  // namespace sockmon
