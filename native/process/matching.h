// Whether a process is the one that is wanted, by what is known of it. Pure: reads nothing.
#pragma once
#include <string>
#include <vector>

#include "process/process_facts.h"

namespace sockmon {

/// Whether people call it by this name.
bool has_name(const ProcessFacts& facts, const std::string& name);
/// The same for a process in the session of a running restart script: a script /etc/init.d/x has the comm of the daemon x that it starts,
/// but its argv[0] is the shell.
bool has_name_in_script(const ProcessFacts& facts, const std::string& name);

/// The oldest of those whose parent is not one of them: the master, not a worker. Null if there is none.
const ProcessFacts* oldest_master(const std::vector<ProcessFacts>& matches);

}  // namespace sockmon
