// Writes to a descriptor without ever waiting for who reads it.
#pragma once
#include <sys/types.h>

#include <cstddef>

namespace sockmon {

/**
 * Writes what is taken at once, from the beginning of `data`. For pipes, terminals, stream sockets (systemd's journal) and files.
 *
 * O_NONBLOCK belongs to the open file description, which others share: the shell of the terminal, the other end of `2>&1`. So the descriptor
 * stays as it is. A pipe or terminal is opened anew; where that is refused (after su(1) it belongs to another user) poll(2) is asked before
 * each piece.
 *
 * Returns the bytes that were taken, 0 if none can be now; -1 with errno when nobody will ever take any (EPIPE, EBADF, ENOSPC, …).
 */
ssize_t write_now(int fd, const char* data, size_t size);

}  // namespace sockmon
