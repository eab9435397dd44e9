// Signals to everything that a script started, except what made a session of its own (a daemon).
#pragma once
#include <sys/types.h>

#include "base/sys.h"
#include "process/proc_fs.h"

namespace sockmon {

/// To every living process of the session, in whatever process group it is. Looks again until nobody new turns up:
/// a fork may slip through one look.
void signal_session(Sys& sys, const ProcFs& proc, pid_t session, int signal);

}  // namespace sockmon
