// Looks through the processes for all who seek one, on a thread of its own: the one that owes reflexes never waits for /proc.
#pragma once
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "base/reactor.h"
#include "process/roll.h"

namespace sockmon {

/// When the census looks around.
struct CensusCadence {
  /// As long as something has been sought for less than `eager_ms`: what comes is then seen within a second.
  double first_ms = 900;
  double eager_ms = 60'000;
  /// Afterwards: what comes is seen within half a minute.
  double later_ms = 28'000;
  /// After a search has begun, at the latest: it may have come while it was looked at for the first time.
  double begin_ms = 250;
  /// Listen to the kernel, where it tells of execve(2) and new names: what is sought by its words is then seen in some 10 ms.
  bool events = true;
};

struct CensusThread;

/**
 * One look serves all: the processes are indexed by every name that they have, so that a thousand names cost what one does. What it finds are
 * candidates. They are told on the reactor, where whoever seeks reads those processes anew: since the look they may have ended or executed
 * something else. Who is not there wakes nobody but the census.
 *
 * Used by the thread of the reactor, except where it says otherwise. The thread begins with the first question and sleeps while nothing is
 * sought.
 */
class Census {
 public:
  /// Gets the roll in which there are candidates. May destroy its own search and others.
  using Callback = std::function<void(const Roll&)>;

  /// Something that is sought, as long as this lives.
  class Search {
   public:
    Search(Census& census, const ProcessSpec& spec, Callback callback);
    ~Search();
    Search(const Search&) = delete;
    Search& operator=(const Search&) = delete;
    /// Looks around at once, begins to be eager anew, and tells what comes of it also when that is nothing.
    void look();

   private:
    Census& census_;
    uint64_t id_;
  };

  /// What is looked through by whoever is asked on the reactor's thread during its life.
  class Loan {
   public:
    Loan(Census& census, std::shared_ptr<const Roll> roll) : census_(census) { census_.lent_ = std::move(roll); }
    ~Loan() { census_.lent_.reset(); }
    Loan(const Loan&) = delete;
    Loan& operator=(const Loan&) = delete;

   private:
    Census& census_;
  };

  Census(Reactor& reactor, Sys& sys, ProcFs proc, CensusCadence cadence = {});
  ~Census();
  Census(const Census&) = delete;
  Census& operator=(const Census&) = delete;

  /// Something is being started: eager anew for all that is sought.
  void encourage();
  /// Null: nothing is lent.
  const Roll* lent() const { return lent_.get(); }

  /// From any other thread than the reactor's: a roll that is no older than twice the time that it takes to make one, so that it serves all
  /// who ask one after the other. Waits for it; a failed one after two seconds, if /proc hangs.
  std::shared_ptr<const Roll> fresh(const RollNeeds& needs);
  /// From any thread: what all that is sought needs.
  RollNeeds needs() const;
  /// From any thread. Ends the census and waits for it, for two seconds at most. Idempotent.
  void stop();

 private:
  void deliver();

  const std::shared_ptr<CensusThread> shared_;
  std::map<uint64_t, Callback> callbacks_;
  uint64_t next_id_ = 1;
  std::shared_ptr<const Roll> lent_;
  std::unique_ptr<FdWatch> results_;
};

}  // namespace sockmon
