// A script to run, or to take over, as native/index.d.ts has it.
#pragma once
#include <sys/types.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace sockmon {

struct RunSpec {
  std::string id;
  std::vector<std::string> argv;
  /// The whole environment of the script.
  std::vector<std::pair<std::string, std::string>> env;
  std::string cwd = "/";
  /// 0 = never.
  double timeout_ms = 0;
  double grace_ms = 0;
  /// Not started, with ECANCELED, when one of these paths exists at that moment.
  std::vector<std::string> unless_exists;
  /// Not started when every sensor of this resource finds it alive at that moment; empty: started in any case. Of Monitor::run alone.
  std::string unless_alive;
  /// See runs/run_file.h; an empty path: none is left.
  std::string run_file, run_file_text;
};

/// A script that an earlier monitor has started.
struct AdoptSpec {
  std::string id;
  /// What it is run for; may be empty.
  std::string resource;
  pid_t pid = 0;
  uint64_t start_ticks = 0;
  double grace_ms = 0;
  /// Inode number of the pipe that it was given for its output; 0: its output is not read.
  uint64_t output_inode = 0;
  /// Removed at its end; may be empty.
  std::string run_file;
};

}  // namespace sockmon
