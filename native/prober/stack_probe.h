// Asks the IP stack for a sign of life.
#pragma once
#include "base/sys.h"

namespace sockmon {

/// Sends a UDP datagram to itself over loopback on a fresh socket. 0, or the errno of what failed; ETIMEDOUT when
/// nothing came back within 200 ms. socket(2) alone proves nothing: it succeeds while `lo` is down.
int probe_stack(Sys& sys);

}  // namespace sockmon
