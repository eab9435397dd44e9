// Finds the process that a ProcessSpec means, by pidfile, listening socket or name.
#pragma once
#include <sys/stat.h>

#include <functional>
#include <optional>
#include <string>

#include "base/sys.h"
#include "process/process_facts.h"
#include "process/process_spec.h"

namespace sockmon {

/// Which writing of a pidfile was read.
struct FileStamp {
  uint64_t inode = 0;
  int64_t modified_ns = 0;
  bool operator==(const FileStamp& other) const {
    return inode == other.inode && modified_ns == other.modified_ns;
  }
};

struct Found {
  Identity identity;
  /// Set if the pidfile named it.
  std::optional<FileStamp> pidfile;
};

struct Search {
  std::optional<Found> found;
  /// Why nothing was found, for people.
  std::string why_not;
  /// The search itself cannot work here: an errno name.
  std::string fault;
};

class ProcessFinder {
 public:
  /// `is_script` tells the sessions of running restart scripts.
  ProcessFinder(Sys& sys, ProcFs proc, std::function<bool(pid_t session)> is_script);

  /// The pidfile decides, or else the listening socket; the name narrows both, and finds when it is alone.
  /// Dying and dead processes and the monitor itself are never found.
  Search find(const ProcessSpec& spec) const;
  /// The living process with this pid; nothing for one that is dead or dying.
  std::optional<Identity> identify(pid_t pid) const;

 private:
  Search by_pidfile(const ProcessSpec& spec) const;
  Search by_listen(const ProcessSpec& spec) const;
  Search by_name(const std::string& name) const;
  Search judge_pidfile(const std::string& path, pid_t pid, const struct stat& file) const;
  Search oldest(const std::function<bool(const ProcessFacts&)>& matches) const;
  Search unreadable() const;

  Sys& sys_;
  ProcFs proc_;
  std::function<bool(pid_t)> is_script_;
};

/// What all process sensors of a monitor share.
struct ProcessContext {
  ProcessFinder& finder;
  const ProcFs& proc;
  /// PIDFD_GET_INFO tells the exit status.
  bool exit_info;
};

}  // namespace sockmon
