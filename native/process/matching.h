// Which of the processes at hand is the one that is wanted, by what is known of them. Pure: reads nothing.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "process/process_facts.h"
#include "process/process_spec.h"

namespace sockmon {

/// Whether its name and its command line are those that are wanted; what is not given asks for nothing.
bool fits_words(const ProcessSpec& spec, const ProcessFacts& facts, bool in_script);

/// Words as `command` is compared: between single blanks, and with one at each end.
std::string plain_command(const std::string& text);
std::string plain_command(const ProcessFacts& facts);

/// Why a process that fits is not the one all the same, for people: it belongs to another user than the one that is configured, or to
/// another namespace than ours. Nothing: it may be.
std::optional<std::string> objection_of_origin(const ProcessSpec& spec, const ProcessFacts& facts, const Namespaces& own);

/// Whether one of them is known to be in another PID or network namespace than the other.
bool is_elsewhere(const Namespaces& one, const Namespaces& other);

/// Those whose parent is not one of them, the oldest first: masters, not workers.
std::vector<const ProcessFacts*> masters(const std::vector<ProcessFacts>& matches);

/// "pid 12 (/usr/sbin/openvpn --config a.conf)"
std::string process_words(const ProcessFacts& facts);

}  // namespace sockmon
