// What is known of the process that is wanted.
#pragma once
#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>

#include "process/listen_spec.h"

namespace sockmon {

/// A user of /etc/passwd by name, or any by number.
struct UserSpec {
  std::string text;
  /// Unknown as long as nobody bears the name.
  std::optional<uid_t> id;
};

/// At least one of pidfile, name, command and listen is given. What is empty or null is not.
struct ProcessSpec {
  std::string pidfile;
  std::string name;
  /// Words that stand one after the other in its command line.
  std::string command;
  std::shared_ptr<const ListenSpec> listen;
  std::optional<UserSpec> user;
  /// Also in other PID and network namespaces than our own: a container's.
  bool any_namespace = false;

  bool has_words() const { return !name.empty() || !command.empty(); }
};

/// The user id; nothing if /etc/passwd (of which NSS reads more: it may wait for a network) has no such name.
std::optional<uid_t> find_user(const std::string& text);

}  // namespace sockmon
