// The names under which people know a process. Pure: reads nothing.
#pragma once
#include <string>
#include <string_view>

#include "process/process_facts.h"

namespace sockmon {

/// What is behind the last slash.
std::string_view base_name(std::string_view path);

/// Base name of the script that an interpreter runs ("networkd-dispatcher" of `python3 /usr/bin/networkd-dispatcher`), or of the module of
/// `python3 -m`; empty for any other process.
std::string script_name(const ProcessFacts& facts);
/// Whether it executes an interpreter: then its executable says nothing about what it is.
bool is_interpreter(const ProcessFacts& facts);

/**
 * Whether people call it by this name: its comm (the kernel keeps 15 bytes of it), the base name of argv[0], of the script that it
 * interprets, or of its executable, which stays when a program renames itself.
 * A service script, as /etc/init.d/x, is never x: it starts it.
 */
bool has_name(const ProcessFacts& facts, const std::string& name);
/// The same in the session of a running restart script, where what is named x by a shell is the script and not the daemon x that it starts.
bool has_name_in_script(const ProcessFacts& facts, const std::string& name);

/// How much a name looks like the wanted one: 4 but for upper and lower case, 0 not at all.
int likeness(std::string_view name, std::string_view wanted);

}  // namespace sockmon
