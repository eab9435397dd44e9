#include "process/holders.h"

#include <unistd.h>

#include <algorithm>
#include <tuple>
#include <unordered_set>

#include "process/process_name.h"
#include "process/successor.h"

namespace sockmon {
namespace {

bool shares_socket(const Holder& one, const Holder& other) {
  return std::any_of(one.inodes.begin(), one.inodes.end(), [&](uint64_t inode) {
    return std::find(other.inodes.begin(), other.inodes.end(), inode) != other.inodes.end();
  });
}

bool is_known_activator(const ProcessFacts& facts) {
  const std::string& comm = facts.stat.comm;
  if (facts.stat.pid == 1 && comm == "init") return true;
  // systemd-socket-activate, cut to 15 bytes.
  return comm == "systemd" || comm == "inetd" || comm == "xinetd" || comm == "systemd-socket-";
}

/// Whether it holds a socket only so that the other one can serve it.
bool activates(const Holder& holder, const Holder& server, bool is_named) {
  const bool is_parent = server.facts.stat.parent == holder.facts.stat.pid;
  if (&holder == &server || !shares_socket(holder, server) || is_fork_of(holder.facts, server.facts.stat.image)) return false;
  if (holder.facts.stat.parent == server.facts.stat.pid) return false;
  if (server.is_activated && !holder.is_activated) return true;
  return is_parent && (is_named || is_interpreter(holder.facts));
}

}  // namespace

std::vector<Holder> find_holders(const ProcFs& proc, const std::vector<BoundSocket>& sockets, const std::vector<pid_t>& pids) {
  std::vector<Holder> holders;
  const auto inodes = inodes_of(sockets);
  for (const pid_t pid : pids) {
    if (pid == getpid()) continue;
    auto owned = proc.sockets_of(pid, inodes);
    if (owned.empty()) continue;
    auto facts = read_facts(proc, pid);
    if (!facts) continue;
    read_origin(proc, *facts);
    const auto is_input = [&](uint64_t inode) { return proc.is_socket(pid, 0, inode); };
    const bool activated =
        std::any_of(owned.begin(), owned.end(), is_input) || proc.has_variable(pid, "LISTEN_PID", std::to_string(pid));
    holders.push_back({std::move(*facts), std::move(owned), activated});
  }
  return holders;
}

Roles roles_of(const std::vector<Holder>& holders, bool is_named, const std::function<bool(const ProcessFacts&)>& fits,
               const std::function<bool(const Identity&)>& is_learned) {
  Roles roles;
  std::vector<const Holder*> fitting;
  for (const Holder& holder : holders) {
    if (fits(holder.facts) && (is_named || !is_known_activator(holder.facts))) fitting.push_back(&holder);
  }
  std::unordered_set<pid_t> servers;
  for (const Holder& holder : holders) {
    const bool is_fitting = std::find(fitting.begin(), fitting.end(), &holder) != fitting.end();
    // Whoever is wanted by its name serves, even if it starts others: somebody watches inetd itself.
    const bool is_wanted = is_named && is_fitting;
    const bool is_activator =
        !is_wanted && (is_known_activator(holder.facts) || is_learned(holder.facts.identity()) ||
                       std::any_of(fitting.begin(), fitting.end(),
                                   [&](const Holder* server) { return activates(holder, *server, is_named); }));
    if (is_activator) {
      roles.activators.push_back(&holder);
    } else if (is_fitting) {
      roles.servers.push_back(&holder);
      servers.insert(holder.facts.stat.pid);
    } else {
      roles.strangers = true;
    }
  }
  auto& found = roles.servers;
  const auto is_worker = [&](const Holder* holder) { return servers.count(holder->facts.stat.parent) != 0; };
  found.erase(std::remove_if(found.begin(), found.end(), is_worker), found.end());
  const auto age = [](const Holder* holder) { return std::tuple(holder->facts.stat.start_ticks, holder->facts.stat.pid); };
  std::sort(found.begin(), found.end(), [&](const Holder* one, const Holder* other) { return age(one) < age(other); });
  return roles;
}

}  // namespace sockmon
