// A file that is there while a script runs, for a sockmon that starts in the middle of it. It lies on a tmpfs, so that writing it waits
// for no disk: the caller's text, then a line with what is known only after posix_spawn(3).
#pragma once
#include <sys/types.h>

#include <cstdint>
#include <string>

namespace sockmon {

/// Who is running: pid and start tell a process from all others of this boot.
struct RunFacts {
  pid_t pid = 0;
  uint64_t start_ticks = 0;
  double started_ms = 0;
  uint64_t output_inode = 0;
};

/// Writes `text` and the line "PID START_TICKS STARTED_MS OUTPUT_INODE", in decimal. 0, or the errno that stood against it.
int write_run_file(const std::string& path, const std::string& text, const RunFacts& facts);
/// No effect when it is not there.
void remove_run_file(const std::string& path);

}  // namespace sockmon
