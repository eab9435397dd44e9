// Tells when a process that is sought may have come.
#pragma once
#include <functional>
#include <memory>

#include "base/path_watch.h"
#include "process/census.h"
#include "process/process_spec.h"

namespace sockmon {

/// From the census, and at once from the folder of its pidfile or UNIX socket.
class Seeker {
 public:
  /// Gets the census's roll, or null: a file has come or been written. May destroy the seeker.
  using OnSign = std::function<void(const Roll*)>;

  /// `folders`: null, where folders cannot be watched.
  Seeker(Census& census, FolderHub* folders, const std::shared_ptr<const ProcessSpec>& spec, const OnSign& on_sign);

  /// Looks around at once, and tells what comes of it also when that is nothing.
  void look() { search_.look(); }

 private:
  Census::Search search_;
  std::unique_ptr<PathWatch> pidfile_, socket_;
};

}  // namespace sockmon
