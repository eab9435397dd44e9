#include "runs/spawn.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cstring>

#include "base/error.h"
#include "runs/output_pipe.h"

namespace sockmon {
namespace {

void check(int error, const char* doing) {
  if (error != 0) throw Error::from_errno(error, doing);
}

}  // namespace

PreparedRun::PreparedRun(Sys& sys, RunSpec spec) : sys_(sys), spec_(std::move(spec)) {
  for (const std::string& argument : spec_.argv) argv_pointers_.push_back(const_cast<char*>(argument.c_str()));
  argv_pointers_.push_back(nullptr);
  for (const auto& [name, value] : spec_.env) env_.push_back(name + "=" + value);
  for (std::string& entry : env_) env_pointers_.push_back(entry.data());
  env_pointers_.push_back(nullptr);
  int ends[2];
  if (sys_.pipe2(ends, O_CLOEXEC) != 0) throw Error::from_errno(errno, "Cannot create a pipe for the script's output");
  output_.reset(ends[0]);
  script_end_.reset(ends[1]);
  output_inode_ = pipe_inode(output_.get());
  // Ours alone: to the script its output is an ordinary, blocking pipe.
  fcntl(output_.get(), F_SETFL, O_NONBLOCK);
  set_attributes();
  set_files();
}

void PreparedRun::set_attributes() {
  // The monitor thread blocks every signal; a daemon started with that mask would be deaf to SIGTERM.
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes_.value, &none);
  // Node ignores SIGPIPE and it stays so (as systemd's IgnoreSIGPIPE=yes has it): a daemon that keeps the output
  // pipe must survive sockmon's end. RLIMIT_NOFILE stays as Node raised it: the former soft limit is not known here.
  // sigfillset(3) would leave out glibc's own two signals, and posix_spawn then leaves them ignored in the script.
  sigset_t defaults;
  memset(&defaults, 0xff, sizeof defaults);
  sigdelset(&defaults, SIGKILL);
  sigdelset(&defaults, SIGSTOP);
  sigdelset(&defaults, SIGPIPE);
  posix_spawnattr_setsigdefault(&attributes_.value, &defaults);
  posix_spawnattr_setflags(&attributes_.value, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
}

void PreparedRun::set_files() {
  const auto files = &files_.value;
  check(posix_spawn_file_actions_addopen(files, 0, "/dev/null", O_RDONLY, 0), "Cannot prepare the script's stdin");
  for (const int fd : {1, 2})
    check(posix_spawn_file_actions_adddup2(files, script_end_.get(), fd), "Cannot prepare the script's output");
  check(posix_spawn_file_actions_addchdir_np(files, spec_.cwd.c_str()), "Cannot prepare the script's directory");
}

int PreparedRun::spawn(pid_t* pid) {
  for (const std::string& path : spec_.unless_exists) {
    if (sys_.access(path.c_str(), F_OK) == 0) return ECANCELED;
  }
  return sys_.posix_spawn(pid, argv_pointers_[0], &files_.value, &attributes_.value, argv_pointers_.data(),
                          env_pointers_.data());
}

UniqueFd PreparedRun::take_output() {
  script_end_.reset();
  return std::move(output_);
}

}  // namespace sockmon
