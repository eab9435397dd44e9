// The last resort.
#pragma once
#include "base/sys.h"

namespace sockmon {

struct RebootLimits {
  /// Flash that is dying may take for ever; seconds are enough for all others.
  double sync_ms = 10'000;
  /// The kernel shuts its devices down first, and many a network driver waits for the lock of the network's changes there. Together with the
  /// other limit less than the service manager's watchdog waits.
  double reboot_ms = 20'000;
};

/**
 * sync(2), then reboot(2), each on a thread of its own, so that the caller is never held. Where reboot(2) neither refuses nor reboots within its
 * time, and `may_reset`, the machine is reset past its drivers (not in a container, whose host that would be). Returns the errno of what was
 * refused, ETIMEDOUT where nothing was and the machine is still up.
 */
int reboot_machine(Sys& sys, const RebootLimits& limits, bool may_reset);

}  // namespace sockmon
