#include "process/successor.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "process/matching.h"

namespace sockmon {
namespace {

double ticks_per_ms() { return static_cast<double>(sysconf(_SC_CLK_TCK)) / 1e3; }

size_t hash_of(const std::string& path) { return path.empty() ? 0 : std::hash<std::string>()(path) | 1; }

bool is_descendant(const ProcessFacts& facts, const Watched& ancestor) {
  const pid_t pid = ancestor.identity.pid;
  // Nobody enters a session but by fork(2), and its number is not given away while it has a member.
  return facts.stat.parent == pid || facts.stat.session == pid || is_fork_of(facts, ancestor.image);
}

bool is_trusted_user(const ProcessFacts& facts, const Watched& dead) {
  if (!facts.user || *facts.user == 0 || !dead.first_user) return true;
  return facts.user == dead.first_user || facts.user == dead.last_user;
}

std::optional<std::string> objection_by_birth(const ProcessFacts& candidate, const Departed& dead) {
  const Watched& watched = dead.watched;
  if (is_descendant(candidate, watched)) return process_words(candidate) + " is a child that the dead one has left behind";
  if (!watched.elsewhere && is_elsewhere(candidate.namespaces, watched.namespaces))
    return process_words(candidate) + " is in another namespace than the dead one was, as in a container";
  if (candidate.stat.start_ticks < dead.born_since_ticks)
    return process_words(candidate) + " lived already when the watched one died";
  return std::nullopt;
}

std::optional<std::string> objection_by_socket(const ProcessFacts& candidate, const Watched& dead) {
  if (!is_worker_of(candidate, dead)) return std::nullopt;
  return process_words(candidate) + " is a worker that the dead one has left behind with its socket";
}

}  // namespace

Watched remember(const ProcessFacts& facts, const Namespaces& own) {
  Watched watched;
  watched.identity = facts.identity();
  watched.image = facts.stat.image;
  watched.namespaces = facts.namespaces;
  watched.elsewhere = is_elsewhere(facts.namespaces, own);
  watched.executable = hash_of(facts.executable);
  watched.first_user = watched.last_user = facts.user;
  return watched;
}

Departed depart(const Watched& watched, double since_ms) {
  const double ticks = std::floor(since_ms * ticks_per_ms());
  // One tick earlier: a parent that restarts it hears of the end at the same moment as we do.
  return {watched, static_cast<uint64_t>(std::max(ticks - 1, 0.0))};
}

double born_ms(const Identity& identity) { return static_cast<double>(identity.start_ticks) / ticks_per_ms(); }

bool is_fork_of(const ProcessFacts& facts, const Image& parent) {
  return parent.known() && facts.stat.image == parent;
}

bool is_worker_of(const ProcessFacts& candidate, const Watched& dead) {
  if (!is_descendant(candidate, dead)) return false;
  const bool executes_the_same = dead.executable != 0 && hash_of(candidate.executable) == dead.executable;
  return !executes_the_same || !candidate.stat.image.known() || is_fork_of(candidate, dead.image);
}

std::optional<std::string> objection(const ProcessFacts& candidate, const Departed& dead, Claim claim) {
  if (candidate.identity() == dead.watched.identity) return "only the process that died is found";
  if (claim == Claim::pidfile) return std::nullopt;
  if (!is_trusted_user(candidate, dead.watched))
    return process_words(candidate) + " belongs to another user than the dead one (user: would say which)";
  return claim == Claim::words ? objection_by_birth(candidate, dead) : objection_by_socket(candidate, dead.watched);
}

}  // namespace sockmon
