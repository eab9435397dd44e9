// The last resort: the kernel reboots the machine, whatever the service manager does.
#pragma once
#include "base/sys.h"

namespace sockmon {

/// sync(2), then reboot(2). A disk that never finishes its sync is given up after `sync_limit_ms`: it may be why the machine
/// must be rebooted. Comes back only with an errno, when the kernel refuses. `sys` must outlive the sync.
int reboot_machine(Sys& sys, double sync_limit_ms);

}  // namespace sockmon
