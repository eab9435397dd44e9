// A script made ready to start: at the moment of death only posix_spawn(3) is left to do.
#pragma once
#include <spawn.h>

#include <string>
#include <vector>

#include "base/sys.h"
#include "base/unique_fd.h"
#include "runs/run_spec.h"

namespace sockmon {

/// posix_spawn_file_actions_t with an owner.
struct SpawnFiles {
  SpawnFiles() { posix_spawn_file_actions_init(&value); }
  ~SpawnFiles() { posix_spawn_file_actions_destroy(&value); }
  SpawnFiles(const SpawnFiles&) = delete;
  SpawnFiles& operator=(const SpawnFiles&) = delete;
  posix_spawn_file_actions_t value;
};

/// posix_spawnattr_t with an owner.
struct SpawnAttributes {
  SpawnAttributes() { posix_spawnattr_init(&value); }
  ~SpawnAttributes() { posix_spawnattr_destroy(&value); }
  SpawnAttributes(const SpawnAttributes&) = delete;
  SpawnAttributes& operator=(const SpawnAttributes&) = delete;
  posix_spawnattr_t value;
};

class PreparedRun {
 public:
  /// Throws Error when there is no descriptor for the pipe, or no memory.
  PreparedRun(Sys& sys, RunSpec spec);
  PreparedRun(const PreparedRun&) = delete;
  PreparedRun& operator=(const PreparedRun&) = delete;

  /// Starts it, once. 0 or an errno; ECANCELED when one of `unless_exists` is there.
  int spawn(pid_t* pid);
  /// The reading end of what it writes; our copy of the writing end is closed.
  UniqueFd take_output();
  /// Of that pipe, also after take_output().
  uint64_t output_inode() const { return output_inode_; }
  const RunSpec& spec() const { return spec_; }

 private:
  void set_attributes();
  void set_files();

  Sys& sys_;
  const RunSpec spec_;
  std::vector<std::string> env_;
  std::vector<char*> argv_pointers_;
  std::vector<char*> env_pointers_;
  UniqueFd output_;
  uint64_t output_inode_ = 0;
  UniqueFd script_end_;
  SpawnAttributes attributes_;
  SpawnFiles files_;
};

}  // namespace sockmon
