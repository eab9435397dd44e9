// Words to the service manager: the datagram protocol of sd_notify(3).
#pragma once
#include <string>

#include "base/sys.h"

namespace sockmon {

/// Sends one message (`READY=1`, several lines at once) to the address in NOTIFY_SOCKET: a path, or `@name` for an abstract
/// socket. Never waits. False when the address is of another kind or the message could not be sent.
bool notify(Sys& sys, const std::string& address, const std::string& message);

}  // namespace sockmon
