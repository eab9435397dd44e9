// How many file descriptors are left.
#pragma once

namespace sockmon {

/// Whether fewer than 64 would be left of RLIMIT_NOFILE after opening `wanted` more. At the limit Node itself can no
/// longer open a file, so the last ones are not for watches.
bool near_fd_limit(int wanted);

}  // namespace sockmon
