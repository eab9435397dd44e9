#include "process/process_finder.h"

#include <unistd.h>

#include <algorithm>

#include "base/error.h"
#include "process/listeners.h"
#include "process/matching.h"
#include "process/process_name.h"

namespace sockmon {
namespace {

Search nothing(std::string why) {
  Search search;
  search.why_not = std::move(why);
  return search;
}

bool is_among(const std::vector<Identity>& identities, const Identity& identity) {
  return std::find(identities.begin(), identities.end(), identity) != identities.end();
}

std::string wanted_words(const ProcessSpec& spec) {
  std::string words = spec.name.empty() ? "" : " is named " + spec.name;
  if (!spec.command.empty()) words += std::string(words.empty() ? "" : " and") + " has \"" + spec.command + "\" in its command line";
  return words;
}

/// Those of a user whom a person may have come in as stand behind: everybody can run a program of any name.
bool is_person(const ProcessFacts& facts) {
  constexpr uid_t kFirstPerson = 1000;  // UID_MIN of login.defs(5)
  return facts.user && *facts.user >= kFirstPerson && *facts.user != geteuid();
}

}  // namespace

ProcessFinder::ProcessFinder(Sys& sys, ProcFs proc, std::function<bool(pid_t)> is_script)
    : sys_(sys), proc_(std::move(proc)), is_script_(std::move(is_script)), pidfiles_(sys, proc_) {}

Search ProcessFinder::find(const ProcessSpec& spec, const Quest& quest) {
  if (!spec.pidfile.empty()) {
    Search search = by_pidfile(spec, quest);
    if (!search.found.empty() || !spec.listen || quest.pidfile_only) return search;
  }
  if (quest.pidfile_only) return nothing("");
  if (spec.listen) return by_listen(spec, quest);
  if (spec.has_words()) return by_words(spec, quest);
  return nothing("neither a pidfile, a name, a command line nor a listening socket is given");
}

Search ProcessFinder::find_heir(const ProcessSpec& spec, const Quest& quest) {
  const Watched& dead = quest.dead->watched;
  if (quest.background) {
    Search search = find_background(spec, quest);
    if (!search.found.empty()) return search;
  }
  bool pending = false;
  if (!spec.pidfile.empty()) {
    const PidfileWord word = read_pidfile(spec.pidfile);
    if (word.pid && *word.pid != dead.identity.pid) {
      Search search = by_pidfile(spec, quest);
      if (!search.found.empty()) return search;
    }
    // HAProxy empties it, tells the old process to end, and writes the new pid some ms later.
    pending = !word.pid && word.stamp.known() && dead.pidfile.known() && !(word.stamp == dead.pidfile);
  }
  Search search = spec.listen ? by_listen(spec, quest) : nothing("");
  search.pending = pending && search.found.empty();
  return search;
}

Search ProcessFinder::find_background(const ProcessSpec& spec, const Quest& quest) {
  const Watched& dead = quest.dead->watched;
  std::vector<ProcessFacts> forks;
  const auto look = [&](ProcessFacts&& facts) {
    if (is_fork_of(facts, dead.image) && facts.stat.start_ticks >= dead.identity.start_ticks && fits(spec, facts))
      forks.push_back(std::move(facts));
  };
  walk_processes(proc_, look);
  // Who forks twice may have forked the last one after the list of processes was read, and ended before it was read itself.
  if (forks.empty()) walk_processes(proc_, look);
  const auto first = masters(forks);
  if (first.empty()) return nothing("");
  ProcessFacts background = *first[0];
  read_origin(proc_, background);
  Search search;
  search.found = {found(background)};
  search.found[0].watched.sockets = dead.sockets;
  search.in_background = true;
  return search;
}

Search ProcessFinder::by_pidfile(const ProcessSpec& spec, const Quest& quest) {
  const PidfileWord word = read_pidfile(spec.pidfile);
  if (!word.pid) return nothing(word.why_not);
  const std::string process = "process " + std::to_string(*word.pid) + " of " + spec.pidfile;
  // Whoever bears the number now: the pidfile has not been written anew since. 3,000 deaths at once are not looked up one by one.
  if (quest.dead != nullptr && *word.pid == quest.dead->watched.identity.pid && quest.dead->watched.pidfile == word.stamp)
    return nothing(process + " is dead, or dying");
  // A pid alone is true of a process in the middle of execve(2) as well; its words are not yet.
  auto facts = spec.has_words() ? read_facts(proc_, *word.pid) : read_living(proc_, *word.pid);
  if (!facts) {
    if (!proc_.stat(*word.pid)) {
      // Alive by kill(2) but not to be seen: /proc is mounted with hidepid.
      if (sys_.kill(*word.pid, 0) == 0 || errno == EPERM) return unreadable();
      return nothing(process + " is gone");
    }
    const bool is_new = is_executing(proc_, *word.pid);
    Search search = nothing(process + (is_new ? " is just executing its program" : " is dead, or dying"));
    search.unsettled = is_new;
    return search;
  }
  if (!fits_words(spec, *facts, false))
    return nothing("stale pidfile: " + process + " is not " + (spec.name.empty() ? "\"" + spec.command + "\"" : spec.name) + " but " +
                   process_words(*facts));
  if (auto doubt = pidfiles_.doubt(spec, word, *facts)) return nothing(std::move(*doubt));
  read_origin(proc_, *facts);
  ProcessSpec anywhere = spec;
  // The pidfile says which.
  anywhere.any_namespace = true;
  if (auto why = objection_of_origin(anywhere, *facts, {})) return nothing(std::move(*why));
  if (quest.dead != nullptr) {
    if (auto why = objection(*facts, *quest.dead, Claim::pidfile)) return nothing(std::move(*why));
  }
  // nginx gives the pidfile back to its old master when the new one dies, also to one that has been told to end and serves nobody.
  if (quest.predecessor != nullptr && facts->identity() == *quest.predecessor && !serves(spec, *quest.predecessor))
    return nothing(process + " had handed over before, and serves no more");
  Search search;
  search.found = {found(*facts)};
  search.found[0].watched.pidfile = word.stamp;
  return search;
}

Search ProcessFinder::find_named(const ProcessSpec& spec, const Quest& quest) {
  Search search = by_pidfile(spec, quest);
  if (search.found.empty() || !spec.listen || serves(spec, search.found[0].watched.identity)) return search;
  return nothing(search.found[0].words + " does not hold the socket " + spec.listen->text);
}

bool ProcessFinder::serves(const ProcessSpec& spec, const Identity& identity) const {
  const auto facts = read(identity.pid);
  if (!facts || !(facts->identity() == identity)) return false;
  const auto sockets = spec.listen ? find_listeners(sys_, proc_, *spec.listen) : all_sockets(sys_, proc_);
  return !proc_.sockets_of(identity.pid, inodes_of(sockets)).empty();
}

std::vector<BoundSocket> ProcessFinder::missing_sockets(const ProcessSpec& spec, const Quest& quest) const {
  auto sockets = find_listeners(sys_, proc_, *spec.listen);
  if (quest.dead == nullptr || spec.listen->address || spec.listen->kind == ListenSpec::Kind::unix_path) return sockets;
  // Of several servers of a port one is missing: its own addresses are sought, or any if it had all of them.
  const auto& lost = quest.dead->watched.sockets;
  if (lost.empty()) return sockets;
  const auto is_lost = [&](const BoundSocket& socket) {
    return std::any_of(lost.begin(), lost.end(), [&](const BoundSocket& one) {
      return is_wildcard(one) || serves_address_of(socket, one);
    });
  };
  sockets.erase(std::remove_if(sockets.begin(), sockets.end(), [&](const auto& socket) { return !is_lost(socket); }), sockets.end());
  return sockets;
}

Search ProcessFinder::by_listen(const ProcessSpec& spec, const Quest& quest) {
  const auto sockets = missing_sockets(spec, quest);
  if (sockets.empty()) return nothing("nothing listens on " + spec.listen->text);
  const auto pids = quest.roll == nullptr ? proc_.pids() : quest.roll->holders_of(sockets);
  if (!pids) return not_readable(errno);
  if (quest.roll != nullptr && quest.roll->error() != 0) return not_readable(quest.roll->error());
  std::vector<Holder> holders = find_holders(proc_, sockets, *pids);
  // Held, and by nobody: who takes over forks just now, as a daemon does that goes into the background, and its child was not in the list yet.
  if (holders.empty() && quest.roll == nullptr && quest.dead != nullptr) {
    if (const auto again = proc_.pids()) holders = find_holders(proc_, sockets, *again);
  }
  const auto is_watched = [&](const Holder& holder) { return is_among(quest.watched, holder.facts.identity()); };
  if (quest.dead != nullptr) holders.erase(std::remove_if(holders.begin(), holders.end(), is_watched), holders.end());
  return choose_server(spec, quest, sockets, holders);
}

Search ProcessFinder::choose_server(const ProcessSpec& spec, const Quest& quest, const std::vector<BoundSocket>& sockets,
                                    const std::vector<Holder>& holders) {
  const Roles roles = roles_of(
      holders, spec.has_words(), [&](const ProcessFacts& facts) { return fits(spec, facts); },
      [&](const Identity& identity) { return is_among(quest.activators, identity); });
  const auto held_by = [&](const Holder& holder) {
    std::vector<BoundSocket> held;
    for (const BoundSocket& socket : sockets) {
      if (std::find(holder.inodes.begin(), holder.inodes.end(), socket.inode) != holder.inodes.end()) held.push_back(socket);
    }
    return held;
  };
  Search search = nothing("no process that may be looked into owns the socket " + spec.listen->text +
                          (spec.has_words() ? " and" + wanted_words(spec) : ""));
  // A port without an address may have several servers, each of which counts; of one address the oldest stands for all.
  const bool many = quest.dead == nullptr && !spec.listen->address && spec.listen->kind != ListenSpec::Kind::unix_path;
  std::vector<BoundSocket> served;
  std::vector<ProcessFacts> rivals;
  for (const Holder* server : roles.servers) {
    // Its socket is in our namespace, wherever it is itself.
    ProcessSpec anywhere = spec;
    anywhere.any_namespace = true;
    auto why = objection_of_origin(anywhere, server->facts, {});
    if (!why && quest.dead != nullptr) why = objection(server->facts, *quest.dead, Claim::socket);
    auto held = held_by(*server);
    if (why) {
      search.why_not = *why;
      const bool serves = std::all_of(held.begin(), held.end(), [](const BoundSocket& socket) { return socket.waiting == 0; });
      if (quest.dead != nullptr && serves && is_worker_of(server->facts, quest.dead->watched))
        search.served_by = process_words(server->facts) + " at " + addresses_words(held);
      continue;
    }
    const bool is_new = std::any_of(held.begin(), held.end(), [&](const BoundSocket& socket) {
      return std::none_of(served.begin(), served.end(), [&](const BoundSocket& one) {
        return one.address == socket.address && one.interface == socket.interface;
      });
    });
    if (!search.found.empty() && (!many || !is_new)) {
      rivals.push_back(server->facts);
      continue;
    }
    served.insert(served.end(), held.begin(), held.end());
    Found one = found(server->facts);
    one.watched.sockets = std::move(held);
    for (const Holder* activator : roles.activators) {
      const auto& inodes = activator->inodes;
      if (std::find_first_of(inodes.begin(), inodes.end(), server->inodes.begin(), server->inodes.end()) != inodes.end())
        one.watched.activator = activator->facts.identity();
    }
    if (search.found.empty()) rivals.insert(rivals.begin(), server->facts);
    search.found.push_back(std::move(one));
  }
  if (search.found.empty() && !roles.activators.empty() && !roles.strangers) {
    const Holder& activator = *roles.activators[0];
    Found idle = found(activator.facts);
    idle.watched.idle = true;
    idle.watched.sockets = held_by(activator);
    idle.watched.activator = idle.watched.identity;
    search.found.push_back(std::move(idle));
  }
  if (quest.dead == nullptr && rivals.size() > 1) search.rivals = rivals_words(rivals);
  return search;
}

Search ProcessFinder::by_words(const ProcessSpec& spec, const Quest& quest) {
  Roll now;
  if (quest.roll == nullptr) now.read_words(proc_);
  const Roll& roll = quest.roll == nullptr ? now : *quest.roll;
  if (roll.error() != 0) return not_readable(roll.error());
  const Namespaces own = proc_.namespaces(0);
  std::vector<ProcessFacts> matches;
  std::string refused;
  bool unsettled = false;
  for (const pid_t pid : roll.matching(spec)) {
    auto facts = read_facts(proc_, pid);
    unsettled = unsettled || (!facts && is_executing(proc_, pid));
    if (!facts || !fits(spec, *facts)) continue;
    read_origin(proc_, *facts);
    auto why = objection_of_origin(spec, *facts, own);
    if (!why && quest.dead != nullptr) why = objection(*facts, *quest.dead, Claim::words);
    if (why) refused = *why;
    else matches.push_back(std::move(*facts));
  }
  auto candidates = masters(matches);
  std::stable_partition(candidates.begin(), candidates.end(), [](const auto* facts) { return !is_person(*facts); });
  if (!candidates.empty()) {
    Search search;
    search.found = {found(*candidates[0])};
    std::vector<ProcessFacts> rivals;
    for (const ProcessFacts* facts : candidates) rivals.push_back(*facts);
    if (quest.dead == nullptr && rivals.size() > 1) search.rivals = rivals_words(rivals);
    return search;
  }
  if (roll.hides_others()) return unreadable();
  std::string why = "no process" + wanted_words(spec);
  if (!refused.empty()) {
    why = refused;
  } else if (!spec.name.empty()) {
    const std::string nearest = roll.nearest(spec.name);
    if (!nearest.empty()) why += "; did you mean " + nearest + "?";
  }
  Search search = nothing(std::move(why));
  search.unsettled = unsettled;
  return search;
}

bool ProcessFinder::fits(const ProcessSpec& spec, const ProcessFacts& facts) const {
  return fits_words(spec, facts, is_script_(facts.stat.session));
}

std::string ProcessFinder::rivals_words(const std::vector<ProcessFacts>& rivals) {
  constexpr size_t kMost = 4;
  const auto sockets = all_listeners(sys_, proc_);
  const auto inodes = inodes_of(sockets);
  std::string words;
  for (size_t i = 0; i < std::min(rivals.size(), kMost); i++) {
    words += (i == 0 ? "" : ", ") + process_words(rivals[i]);
    const auto owned = proc_.sockets_of(rivals[i].stat.pid, inodes);
    const auto listens = std::find_if(sockets.begin(), sockets.end(), [&](const BoundSocket& socket) {
      return std::find(owned.begin(), owned.end(), socket.inode) != owned.end();
    });
    if (listens != sockets.end()) words += " on " + address_words(*listens);
  }
  if (rivals.size() > kMost) words += " and " + std::to_string(rivals.size() - kMost) + " more";
  return words;
}

Found ProcessFinder::found(const ProcessFacts& facts) const {
  return {remember(facts, proc_.namespaces(0)), process_words(facts)};
}

Search ProcessFinder::not_readable(int error) const {
  const bool is_slow = error == ETIMEDOUT;
  Search search = nothing(is_slow ? "to read all processes takes longer than 2 s" : proc_.root() + ": " + strerrordesc_np(error));
  search.fault = errno_name(error);
  return search;
}

Search ProcessFinder::unreadable() const {
  Search search = nothing(proc_.root() + " hides other processes (mount option hidepid)");
  search.fault = "EACCES";
  return search;
}

}  // namespace sockmon
