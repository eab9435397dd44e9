// Why a process that is not our child ended.
#pragma once
#include "base/sys.h"
#include "process/exit_status.h"
#include "process/proc_fs.h"
#include "process/process_facts.h"

namespace sockmon {

/// From a wait status, wait(2).
ExitCause cause_of_status(int status);
/// From what waitid(2) filled in: si_code and si_status.
ExitCause cause_of_child(int code, int status);

/// PIDFD_GET_INFO: known from Linux 6.15 on, once the parent has reaped it.
ExitCause cause_by_pidfd(Sys& sys, int pidfd);
/// Field 52 of /proc/PID/stat: known between death and reaping, to root and to the same user.
ExitCause cause_by_proc(const ProcFs& proc, const Identity& identity);

/// Whether PIDFD_GET_INFO tells the exit status on this kernel.
bool has_exit_info(Sys& sys);

}  // namespace sockmon
