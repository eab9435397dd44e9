#include "process/members.h"

#include <algorithm>

#include "base/error.h"

namespace sockmon {
namespace {

bool share_address(const std::vector<BoundSocket>& some, const std::vector<BoundSocket>& others) {
  return std::any_of(some.begin(), some.end(), [&](const BoundSocket& one) {
    return std::any_of(others.begin(), others.end(), [&](const BoundSocket& other) {
      return one.address == other.address && one.interface == other.interface;
    });
  });
}

template <typename Condition>
const Member* first(const std::list<Member>& list, Condition condition) {
  const auto member = std::find_if(list.begin(), list.end(), condition);
  return member == list.end() ? nullptr : &*member;
}

}  // namespace

Members::Members(Reactor& reactor, const ProcessFinder& finder, OnEnd on_end)
    : reactor_(reactor), finder_(finder), on_end_(std::move(on_end)) {}

Adoption Members::adopt(const Found& found) {
  const Identity& wanted = found.watched.identity;
  UniqueFd pidfd(reactor_.sys().pidfd_open(wanted.pid));
  if (!pidfd) {
    const int error = errno;
    Adoption refused{false, "the process cannot be watched", "", ""};
    if (error == ESRCH) return refused;
    refused.fault = errno_name(error);
    refused.fault_detail = std::string("The process cannot be watched, pidfd_open(2) says: ") + strerrordesc_np(error) +
                           (error == ENOSYS ? " (it needs Linux 5.3)." : ".");
    return refused;
  }
  // Between the look into /proc and pidfd_open the number may have been given to another process.
  const auto stat = finder_.stat(wanted.pid);
  if (!stat || !(Identity{stat->pid, stat->start_ticks} == wanted)) return {false, "the process ended while it was being looked at", "", ""};
  list_.push_back({found.watched, nullptr});
  Member& member = list_.back();
  // It may have executed its program between two reads of the first look.
  member.watched.image = stat->image;
  try {
    const auto on_end = [this, &member](uint32_t) { on_end_(member.watched.identity); };
    static_assert(sizeof on_end <= 2 * sizeof(void*), "what is larger is allocated by std::function");
    member.pidfd = std::make_unique<FdWatch>(reactor_, std::move(pidfd), EPOLLIN, on_end);
  } catch (const Error& error) {
    list_.pop_back();
    return {false, "the process cannot be watched", error.code(), error.what()};
  }
  return {true, "", "", ""};
}

std::optional<Member> Members::take(const Identity& identity) {
  const auto member = std::find_if(list_.begin(), list_.end(), [&](const Member& each) { return each.watched.identity == identity; });
  if (member == list_.end()) return std::nullopt;
  Member taken = std::move(*member);
  list_.erase(member);
  return taken;
}

const Member* Members::server() const {
  return first(list_, [](const Member& each) { return !each.watched.idle; });
}

const Member* Members::idle() const {
  return first(list_, [](const Member& each) { return each.watched.idle; });
}

const Member* Members::overlapping(const Found& found) const {
  return first(list_, [&](const Member& each) { return share_address(each.watched.sockets, found.watched.sockets); });
}

const Member* Members::ended(Sys& sys, const ProcFs& proc) const {
  return first(list_, [&](const Member& each) {
    pollfd poll{each.pidfd->fd(), POLLIN, 0};
    return proc.is_exiting(each.watched.identity.pid) || retry_eintr([&] { return sys.poll(&poll, 1, 0); }) > 0;
  });
}

std::vector<Identity> Members::servers() const {
  std::vector<Identity> servers;
  for (const Member& member : list_) {
    if (!member.watched.idle) servers.push_back(member.watched.identity);
  }
  return servers;
}

bool Members::renew(const Found& found) {
  for (Member& member : list_) {
    if (!(member.watched.identity == found.watched.identity)) continue;
    member.watched.sockets = found.watched.sockets;
    member.watched.activator = found.watched.activator;
    return true;
  }
  return false;
}

void Members::renew_origin(const ProcFs& proc) {
  for (Member& member : list_) {
    if (const auto user = proc.owner(member.watched.identity.pid)) member.watched.last_user = user;
    // It may have been in the middle of its execve(2), or have executed itself anew.
    const auto stat = proc.stat(member.watched.identity.pid);
    if (stat && stat->image.known()) member.watched.image = stat->image;
  }
}

std::string Members::words(const ProcFs& proc) const {
  if (list_.size() == 1 && !list_.front().watched.idle) return "";
  std::string words;
  for (const Member& member : list_) {
    const Watched& watched = member.watched;
    const std::string pid = "pid " + std::to_string(watched.identity.pid);
    const auto stat = watched.idle ? proc.stat(watched.identity.pid) : std::nullopt;
    words += words.empty() ? "" : "; ";
    words += watched.idle ? "idle, socket held by " + (stat ? stat->comm : "its activator") + ", " + pid
                          : addresses_words(watched.sockets) + " by " + pid;
  }
  return words;
}

}  // namespace sockmon
