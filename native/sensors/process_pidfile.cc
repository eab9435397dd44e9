// What the pidfile says while the watched process lives.
#include <cmath>

#include "sensors/process.h"

namespace sockmon {

void ProcessSensor::listen_to_pidfile() {
  if (pidfile_ || spec_->pidfile.empty() || context_.folders == nullptr) return;
  const std::shared_ptr<const std::string> path(spec_, &spec_->pidfile);
  pidfile_ = std::make_unique<PathWatch>(*context_.folders, path, [this] { heed_pidfile(); });
}

bool ProcessSensor::heed_pidfile() {
  // After a death its successor is sought; where several servers live nobody knows whose successor is named.
  const Member* server = members_.server();
  const bool is_alone = server != nullptr && members_.all().size() == 1 && !death_ && !ending_;
  if (spec_->pidfile.empty() || !is_alone) return named_.reset(), false;
  const PidfileWord word = read_pidfile(spec_->pidfile);
  const auto facts = word.pid ? context_.finder.read(*word.pid) : std::nullopt;
  if (!facts || facts->identity() == server->watched.identity) return named_.reset(), false;
  const double now_ms = reactor_.sys().boot_ms();
  if (!named_ || !(named_->identity == facts->identity())) {
    // A second instance that finds the socket taken writes its pid as well, and ends soon.
    named_ = std::make_unique<Named>(Named{facts->identity(), now_ms + kFirstReviewMs});
    rescan_.arm(kFirstReviewMs);
    return false;
  }
  if (now_ms < named_->due_ms) return false;
  if (take_named()) return true;
  // It may be waiting for the socket, which takes as long as the old one holds it.
  if (named_->looks == kMostReviews) return false;
  const double delay_ms = kFirstReviewMs * std::pow(kReviewFactor, ++named_->looks);
  named_->due_ms = now_ms + delay_ms;
  if (named_->looks < kMostReviews) rescan_.arm(delay_ms);
  return false;
}

bool ProcessSensor::take_named() {
  const Identity old = members_.server()->watched.identity;
  const Search search = context_.finder.find_named(*spec_, quest(nullptr));
  std::string why;
  if (search.found.empty() || !(search.found[0].watched.identity == named_->identity) || !adopt(search.found[0], why)) return false;
  members_.take(old);
  predecessor_ = std::make_unique<const Identity>(old);
  named_.reset();
  rivals_are("");
  look_again_later();
  SensorReport now = report();
  now.replaced = "pid " + std::to_string(old.pid) + " has handed over to " + search.found[0].words +
                 ", which the pidfile names now, and lives on; nothing was down";
  host_.report(now);
  return true;
}

}  // namespace sockmon
