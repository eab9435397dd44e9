#include "process/holders.h"

#include "check.h"

namespace sockmon {
namespace {

constexpr uint64_t kSocket = 777;

Holder holder(pid_t pid, pid_t parent, const std::string& comm, uint64_t image, uint64_t started) {
  Holder holder;
  holder.facts.stat.pid = pid;
  holder.facts.stat.parent = parent;
  holder.facts.stat.comm = comm;
  holder.facts.stat.start_ticks = started;
  holder.facts.stat.image = {image, image};
  holder.facts.executable = "/usr/sbin/" + comm;
  holder.facts.argv = {holder.facts.executable};
  holder.inodes = {kSocket};
  return holder;
}

struct Pids {
  std::vector<pid_t> servers, activators;
};

/// @param name the one that is wanted; nullptr: anyone.
Pids pids(const std::vector<Holder>& holders, const char* name = nullptr, pid_t learned = 0) {
  const Roles roles = roles_of(
      holders, name != nullptr, [&](const ProcessFacts& facts) { return name == nullptr || facts.stat.comm == name; },
      [&](const Identity& identity) { return identity.pid == learned; });
  Pids found;
  for (const Holder* server : roles.servers) found.servers.push_back(server->facts.stat.pid);
  for (const Holder* activator : roles.activators) found.activators.push_back(activator->facts.stat.pid);
  return found;
}

bool are(const std::vector<pid_t>& found, std::vector<pid_t> wanted) { return found == wanted; }

void a_master_serves_and_its_workers_do_not() {
  const std::vector<Holder> nginx = {holder(11, 10, "nginx", 5, 2), holder(10, 1, "nginx", 5, 1), holder(12, 10, "nginx", 5, 2)};
  CHECK(are(pids(nginx).servers, {10}) && pids(nginx).activators.empty());
  // A master that executes its workers.
  const std::vector<Holder> postfix = {holder(10, 1, "master", 5, 1), holder(11, 10, "smtpd", 6, 2)};
  CHECK(are(pids(postfix).servers, {10}));
}

void service_managers_hold_and_do_not_serve() {
  const std::vector<Holder> cups = {holder(1, 0, "systemd", 1, 0), holder(20, 1, "cupsd", 2, 5)};
  CHECK(are(pids(cups).servers, {20}) && are(pids(cups).activators, {1}));
  const std::vector<Holder> waiting = {holder(1, 0, "systemd", 1, 0)};
  CHECK(pids(waiting).servers.empty() && are(pids(waiting, "cupsd").activators, {1}));
  // PID 1 of a container is the service itself.
  CHECK(are(pids({holder(1, 0, "nginx", 1, 0)}).servers, {1}));
  // Who watches inetd by its name means inetd.
  const std::vector<Holder> inetd = {holder(30, 1, "inetd", 3, 1)};
  CHECK(are(pids(inetd, "inetd").servers, {30}) && are(pids(inetd).activators, {30}));
}

void any_activator_is_known_by_whom_it_has_started() {
  Holder server = holder(41, 40, "server", 9, 5);
  const Holder keeper = holder(40, 1, "keeper", 8, 1);
  // Not by parentage alone: that would be a master with workers.
  CHECK(are(pids({keeper, server}).servers, {40}));
  server.is_activated = true;
  CHECK(are(pids({keeper, server}).servers, {41}) && are(pids({keeper, server}).activators, {40}));
  server.is_activated = false;
  CHECK(are(pids({keeper, server}, "server").activators, {40}));
  Holder script = holder(40, 1, "python3", 8, 1);
  CHECK(are(pids({script, server}).activators, {40}));
  // Alone again: only who was learned to be one is taken for it.
  CHECK(are(pids({keeper}, "server", 40).activators, {40}));
  CHECK(pids({keeper}, "server").activators.empty() && pids({keeper}, "server").servers.empty());
}

void two_that_share_nothing_are_two() {
  Holder other = holder(60, 1, "resolved", 7, 1);
  other.inodes = {888};
  CHECK(are(pids({holder(50, 1, "dnsmasq", 5, 3), other}).servers, {60, 50}));
}

}  // namespace

void test_holders() {
  a_master_serves_and_its_workers_do_not();
  service_managers_hold_and_do_not_serve();
  any_activator_is_known_by_whom_it_has_started();
  two_that_share_nothing_are_two();
}

}  // namespace sockmon
