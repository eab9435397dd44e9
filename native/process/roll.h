// All processes at one moment, as far as it takes to say which of them may be the one that is sought.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/sys.h"
#include "process/bound_socket.h"
#include "process/process_facts.h"
#include "process/process_name.h"
#include "process/process_spec.h"

namespace sockmon {

/// What has to be looked at to find something; a pidfile needs nothing of it.
struct RollNeeds {
  /// Names and command lines.
  bool words = false;
  /// Who holds which listening socket.
  bool sockets = false;
  bool any() const { return words || sockets; }
  bool cover(const RollNeeds& other) const { return (words || !other.words) && (sockets || !other.sockets); }
  void add(const RollNeeds& other) {
    words = words || other.words;
    sockets = sockets || other.sockets;
  }
};
RollNeeds needs_of(const ProcessSpec& spec);

/// What it says may be out of date when it is read: whoever is found is looked at anew.
class Roll {
 public:
  /// Another process that is called almost so, for people; empty: none.
  using Nearest = std::string;

  /// Reads name, command line and executable of all processes but our own: 6 us each, a third of what it takes to know them well.
  /// `is_over` ends it early.
  void read_words(const ProcFs& proc, const std::function<bool()>& is_over = nullptr);
  /// The same of these processes only.
  void read_words_of(const ProcFs& proc, const std::vector<pid_t>& pids, const std::function<bool()>& is_over = nullptr);
  /// Reads who holds one of these sockets.
  void read_holders(const ProcFs& proc, const std::vector<BoundSocket>& sockets, const std::function<bool()>& is_over = nullptr);
  /// It could not be made: an errno.
  void fail(int error) { error_ = error; }

  /// 0, or the errno of what failed.
  int error() const { return error_; }
  /// Pid 1 always exists: not to see it means not to see the processes of others.
  bool hides_others() const { return hides_others_; }
  const RollNeeds& has() const { return has_; }

  /// All that fit the name and the command line, and perhaps some that do not. Costs the same for any number of processes, if a name is given.
  std::vector<pid_t> matching(const ProcessSpec& spec) const;
  /// Whether one of them bears one of these names.
  bool bears_one_of(const std::unordered_map<std::string, size_t>& names) const;
  std::vector<pid_t> holders_of(const std::vector<BoundSocket>& sockets) const;
  Nearest nearest(const std::string& name) const;

 private:
  void add(ProcessFacts facts);

  int error_ = 0;
  bool hides_others_ = false;
  RollNeeds has_;
  std::vector<ProcessFacts> processes_;
  /// The command lines with single blanks, as `command:` is compared.
  std::vector<std::string> lines_;
  /// Every name under which people may know it.
  std::unordered_map<std::string, std::vector<uint32_t>> by_name_;
  /// The names that are worth proposing, each with the first that bears it.
  std::unordered_map<std::string, uint32_t> proposals_;
  /// Inode number and pid, ascending.
  std::vector<std::pair<uint64_t, pid_t>> holders_;
};

}  // namespace sockmon
