#include "process/exit_cause.h"

#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>

#include "base/unique_fd.h"

namespace sockmon {

ExitCause cause_of_status(int status) {
  if (WIFSIGNALED(status)) return {ExitCause::Kind::signal, WTERMSIG(status), WCOREDUMP(status) != 0};
  if (WIFEXITED(status)) return {ExitCause::Kind::exit, WEXITSTATUS(status), false};
  return {};
}

ExitCause cause_of_child(int code, int status) {
  switch (code) {
    case CLD_EXITED:
      return {ExitCause::Kind::exit, status, false};
    case CLD_KILLED:
    case CLD_DUMPED:
      return {ExitCause::Kind::signal, status, code == CLD_DUMPED};
    default:
      return {};
  }
}

ExitCause cause_by_pidfd(Sys& sys, int pidfd) {
  PidfdInfo info{};
  info.mask = kPidfdInfoExit;
  if (sys.pidfd_get_info(pidfd, &info) != 0 || (info.mask & kPidfdInfoExit) == 0) return {};
  return cause_of_status(info.exit_code);
}

ExitCause cause_by_proc(const ProcFs& proc, const Identity& identity) {
  const auto stat = proc.stat(identity.pid);
  if (!stat || !(stat->dead || stat->exiting) || stat->start_ticks != identity.start_ticks) return {};
  // do_exit() sets the flag a moment before it stores the status: until the memory has gone a 0 may stand for nothing yet.
  if (!stat->dead && stat->exit_status == 0 && !stat->memory_gone) return {};
  // Without the right to trace it the kernel prints 0, which would read as a clean exit.
  const uid_t user = geteuid();
  if (stat->exit_status == 0 && user != 0 && proc.owner(identity.pid) != user) return {};
  return cause_of_status(stat->exit_status);
}

bool has_exit_info(Sys& sys) {
  // The answer for a living process does not tell whether the kernel could tell of a dead one; its version does.
  utsname name{};
  int major = 0, minor = 0;
  if (uname(&name) != 0 || sscanf(name.release, "%d.%d", &major, &minor) != 2) return false;
  if (major < 6 || (major == 6 && minor < 15)) return false;
  UniqueFd self(sys.pidfd_open(getpid()));
  PidfdInfo info{};
  info.mask = kPidfdInfoExit;
  return self && sys.pidfd_get_info(self.get(), &info) == 0;
}

}  // namespace sockmon
