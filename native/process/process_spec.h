// What is known of the process that is wanted.
#pragma once
#include <sys/types.h>

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

/// At least one of pidfile, name, command and listen is given.
struct ProcessSpec {
  std::optional<std::string> pidfile;
  std::optional<std::string> name;
  std::optional<ListenSpec> listen;
  /// Words that stand one after the other in its command line.
  std::optional<std::string> command;
  std::optional<UserSpec> user;
  /// Also in other PID and network namespaces than our own: a container's.
  bool any_namespace = false;
};

/// The user id; nothing if /etc/passwd (of which NSS reads more: it may wait for a network) has no such name.
std::optional<uid_t> find_user(const std::string& text);

}  // namespace sockmon
