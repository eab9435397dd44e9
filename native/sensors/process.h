// Watches processes by pidfd_open(2), and finds the successor of one that has ended or handed over.
#pragma once
#include <list>
#include <memory>
#include <optional>
#include <vector>

#include "base/path_watch.h"
#include "base/reactor.h"
#include "core/sensor.h"
#include "process/cause_watch.h"
#include "process/members.h"
#include "process/seeker.h"

namespace sockmon {

inline constexpr Reason kProcessExit{"process_exit", Nature::exited, "the process ended"};

SensorKind process_kind();
SensorMaker watch_process(ProcessSpec spec);

/**
 * Mostly one process. For a port without an address there may be several servers of it (a stub resolver beside the LAN's): it is down as soon
 * as one of them has ended, until what that one served is served again.
 *
 * When a process ends, `find_heir` is asked before the reflex. A successor that has taken over already is adopted and told as `replaced`. A
 * server that ended in order (status 0) while an activator still holds its socket has become idle; so has one whose status nobody tells yet,
 * because the next connection is served in either case: a crash that becomes known later is told as a death then.
 *
 * While it lives its pidfile is listened to: who has been named there for a second, lives and fits is the watched one from then on, as after
 * a reload whose old process goes on until its last connection ends. That the pidfile names a child changes nothing in this: the same one
 * would be watched after a start of sockmon. A word that is empty or does not fit is none.
 */
class ProcessSensor final : public Sensor {
 public:
  ProcessSensor(Reactor& reactor, SensorHost& host, const ProcessContext& context, std::shared_ptr<const ProcessSpec> spec);

  SensorReport start() override;
  SensorReport snapshot() override;
  /// A process that is exiting is dead, although its pidfd says so later: two sights of one death must not look like two.
  void doubt() override;
  bool kill() override;

 private:
  static constexpr double kFirstRescanMs = 5;
  /// For each of those that look at the same time: thousands would take the whole of a processor from the deaths of the others. A look takes some
  /// 20 us.
  static constexpr double kCrowdMs = 0.1;

  /// Counted as one that looks, for as long as it lives.
  class Looking {
   public:
    explicit Looking(size_t* lookers) : lookers_(lookers) {
      if (lookers_ != nullptr) ++*lookers_;
    }
    ~Looking() {
      if (lookers_ != nullptr) --*lookers_;
    }
    Looking(const Looking&) = delete;
    Looking& operator=(const Looking&) = delete;

   private:
    size_t* lookers_;
  };
  /// Within which the sights of one death come.
  static constexpr double kOneDeathMs = 2000;
  /// After a process was found, and ever later: it may have given up root, bound more sockets or been joined by another server of the port.
  static constexpr double kFirstReviewMs = 1000;
  static constexpr int kReviewFactor = 4;
  static constexpr int kMostReviews = 5;

  void on_alarm();
  void look_around();
  bool waits_for_the_seeker() const { return context_.census != nullptr; }
  void seek();
  /// False if what is sought has not been found.
  bool search(const Quest& scope);
  bool look_for_successors(const Quest& scope);
  bool look_for_more(const Quest& scope);
  void merge(const Found& found);
  /// False, with `why`, if it cannot be watched or has ended meanwhile.
  bool adopt(const Found& found, std::string& why);
  void rivals_are(const std::string& rivals);
  void look_again_soon();
  void arm_rescan();
  void look_again_later();
  void listen_to_pidfile();
  /// True if another one has been named long enough, and is the watched one now.
  bool heed_pidfile();
  bool take_named();
  Quest everything() const;
  Quest quest(const Departed* dead, const Quest& scope = {}) const;

  /// A process that has ended, until it is known what that means.
  struct Ending {
    Departed dead;
    double at_ms;
    UniqueFd pidfd;
    ExitCause cause;
    /// A worker that serves on, for people.
    std::string served_by;
  };
  /// As long as something is missing.
  struct Death {
    /// Of the first one that is missing.
    double at_ms;
    pid_t pid;
    ExitCause cause;
    std::string served_by;
    /// Those whose successor is sought; never empty.
    std::list<Departed> lost;
  };
  /// Who is named by the pidfile beside the living one.
  struct Named {
    Identity identity;
    /// When it is looked at; it counts from its first second on.
    double due_ms;
    int looks = 0;
  };
  enum class HandOver { no, pending, done };

  void find_the_dead();
  void on_end(Identity identity);
  HandOver hand_over(Ending& ending);
  bool may_be_handed_back(Ending& ending) const;
  void wait_for_heir(bool may_wait);
  void bury(Ending ending);
  void die(const Departed& dead, double at_ms, ExitCause cause, const std::string& served_by);
  void serves_on(const std::string& served_by);
  void learn_of_idle(const Watched& dead, ExitCause cause);
  bool is_orderly(Ending& ending) const;
  void learn_cause(Ending& ending) const;
  void wait_for_cause(Ending& ending, CauseWatches::Done done);
  double birth_limit_ms(double at_ms) const;

  SensorState state() const;
  SensorReport report() const;

  Reactor& reactor_;
  SensorHost& host_;
  const ProcessContext& context_;
  std::shared_ptr<const ProcessSpec> spec_;
  // There may be thousands of these, nearly all of which never see an end: what only an end or a search needs is made for that alone.
  /// It ended in order while its pidfile is being written: the successor's pid comes in some ms.
  std::unique_ptr<Ending> ending_;
  std::unique_ptr<Death> death_;
  /// As long as something is sought, from the first look at it on.
  std::unique_ptr<Seeker> seeker_;
  std::unique_ptr<CauseWatches> cause_watches_;
  std::unique_ptr<Named> named_;
  /// It lives perhaps, and has handed over to the one that is watched or was so last.
  std::unique_ptr<const Identity> predecessor_;
  std::unique_ptr<PathWatch> pidfile_;
  Members members_;
  /// Who was seen to hold a socket for others.
  std::vector<Identity> activators_;
  /// For people: why it is absent, who else fits, or what is missing.
  std::string detail_;
  /// When another sensor of the resource was the first to see something, within `kOneDeathMs`.
  double doubted_ms_ = 0;
  Timer rescan_;
  std::optional<Looking> looking_;
  double rescan_delay_ms_ = kFirstRescanMs;
  /// How often it was looked at anew since the last process was found.
  int reviews_ = 0;
  bool started_ = false;
  /// What was found by the last look could not be taken, or is in the middle of execve(2): nobody tells when it can be.
  bool must_retry_ = false;
  bool is_unsettled_ = false;
  /// A find is reported from within the search, and the siblings answer it with a doubt.
  bool searching_ = false;
};

}  // namespace sockmon
