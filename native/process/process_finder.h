// Finds the process that a ProcessSpec means, by pidfile, listening socket or name.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/sys.h"
#include "process/holders.h"
#include "process/pidfile.h"
#include "process/process_facts.h"
#include "process/process_spec.h"
#include "process/roll.h"
#include "process/successor.h"

namespace sockmon {

struct Found {
  Watched watched;
  /// For people: pid and command line.
  std::string words;
};

struct Search {
  /// One, except for a port without an address: there each independent server of another address of it.
  std::vector<Found> found;
  /// Others that fit as well and are not watched, for people.
  std::string rivals;
  /// Why nothing was found, for people.
  std::string why_not;
  /// A worker that the dead one has left behind with its socket, and that lets nobody wait there: for people.
  std::string served_by;
  /// The search itself cannot work here: an errno name.
  std::string fault;
  /// The pidfile is being written at this moment: it holds no pid, and was opened for writing since it named the dead one.
  bool pending = false;
  /// One that may be meant is in the middle of execve(2): the next look will tell.
  bool unsettled = false;
  /// It is the fork of one that went into the background.
  bool in_background = false;
};

/// From what a search is made.
struct Quest {
  /// Whose successor is sought; null: nobody has died.
  const Departed* dead = nullptr;
  /// Other processes of the same sensor that live: what they serve is not what is missing.
  std::vector<Identity> watched;
  /// Who has been seen to hold a socket for others.
  std::vector<Identity> activators;
  /// The dead one was young and ended in order, as a daemon does when it goes into the background.
  bool background = false;
  /// Through whom to look; null: through all that there are now, which takes 10 ms for 400 processes. Who is found is looked at anew.
  const Roll* roll = nullptr;
  /// Look into the pidfile and no further: one small file, and one process.
  bool pidfile_only = false;
  /// Who has handed over to the watched one, or to the dead one; null: nobody.
  const Identity* predecessor = nullptr;
};

class ProcessFinder {
 public:
  /// `is_script` tells the sessions of running restart scripts.
  ProcessFinder(Sys& sys, ProcFs proc, std::function<bool(pid_t session)> is_script);

  /// The pidfile decides, or else the listening socket; name and command line narrow both, and find when they are alone.
  /// Dying and dead processes and the monitor itself are never found, nor what `objection` of successor.h excludes.
  Search find(const ProcessSpec& spec, const Quest& quest = {});
  /**
   * Who has taken over already, at the moment of a death: asked before the reflex, so it reads the pidfile and asks sock_diag once, and looks
   * through the processes only if somebody still holds the address (then nothing is missing yet), or for a fork in the background.
   */
  Search find_heir(const ProcessSpec& spec, const Quest& quest);
  /// Whom the pidfile names while the watched one lives: with `listen` it must hold the socket itself. Looks into that one process only.
  Search find_named(const ProcessSpec& spec, const Quest& quest);
  /// It lives and has the wanted socket open, or where none is said any that takes what comes.
  bool serves(const ProcessSpec& spec, const Identity& identity) const;
  /// The living process with this pid; nothing for one that is dead or dying.
  std::optional<ProcessFacts> read(pid_t pid) const { return read_living(proc_, pid); }
  /// The same without its words, which take two thirds of the time.
  std::optional<ProcessStat> stat(pid_t pid) const { return living_stat(proc_, pid); }

 private:
  Search find_background(const ProcessSpec& spec, const Quest& quest);
  Search by_pidfile(const ProcessSpec& spec, const Quest& quest);
  Search by_listen(const ProcessSpec& spec, const Quest& quest);
  Search by_words(const ProcessSpec& spec, const Quest& quest);
  Search not_readable(int error) const;
  Search choose_server(const ProcessSpec& spec, const Quest& quest, const std::vector<BoundSocket>& sockets,
                       const std::vector<Holder>& holders);
  std::vector<BoundSocket> missing_sockets(const ProcessSpec& spec, const Quest& quest) const;
  bool fits(const ProcessSpec& spec, const ProcessFacts& facts) const;
  std::string rivals_words(const std::vector<ProcessFacts>& rivals);
  Found found(const ProcessFacts& facts) const;
  Search unreadable() const;

  Sys& sys_;
  ProcFs proc_;
  std::function<bool(pid_t)> is_script_;
  PidfileJudge pidfiles_;
};

class Census;
class FolderHub;

/// What all process sensors of a monitor share.
struct ProcessContext {
  ProcessFinder& finder;
  const ProcFs& proc;
  /// PIDFD_GET_INFO tells the exit status.
  bool exit_info;
  /// When a script was started last, in ms of CLOCK_BOOTTIME; 0: never. Null: there are no scripts.
  std::function<double()> last_run_ms = nullptr;
  /// Null, where a sensor is alone: it looks through /proc itself, once a second.
  Census* census = nullptr;
  FolderHub* folders = nullptr;
  /// How many sensors are looking for something again and again. Null: nobody counts.
  size_t* lookers = nullptr;
};

}  // namespace sockmon
