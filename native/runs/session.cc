#include "runs/session.h"

#include <signal.h>

#include <set>

#include "base/unique_fd.h"

namespace sockmon {
namespace {

/// Against a script that catches the signal and goes on forking.
constexpr int kPasses = 20;

bool is_member(const ProcFs& proc, pid_t pid, pid_t session) {
  const auto stat = proc.stat(pid);
  return stat && !stat->dead && stat->session == session;
}

/// Signals the members that are not in `signalled` yet. Returns how many there were.
int signal_members(Sys& sys, const ProcFs& proc, pid_t session, int signal, std::set<pid_t>& signalled) {
  int count = 0;
  for (const pid_t pid : proc.pids().value_or(std::vector<pid_t>())) {
    if (signalled.count(pid) != 0 || !is_member(proc, pid, session)) continue;
    UniqueFd pidfd(sys.pidfd_open(pid));
    // Looked at again: the number may have been given away before the pidfd held it.
    if (!pidfd || !is_member(proc, pid, session)) continue;
    sys.pidfd_send_signal(pidfd.get(), signal);
    signalled.insert(pid);
    count++;
  }
  return count;
}

}  // namespace

void signal_session(Sys& sys, const ProcFs& proc, pid_t session, int signal) {
  // Who has the signal pending forks no more: it is over when a look finds nobody new.
  std::set<pid_t> signalled;
  for (int pass = 0; pass < kPasses; pass++) {
    if (signal_members(sys, proc, session, signal, signalled) == 0) return;
  }
}

}  // namespace sockmon
