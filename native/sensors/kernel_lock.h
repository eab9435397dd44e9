// What the sensors of the network say while the kernel's networking is locked up.
#pragma once
#include "core/event.h"
#include "network/link_hub.h"

namespace sockmon {

inline constexpr Reason kKernelLocked{"kernel_locked", Nature::broken, "the kernel's networking is locked up"};

/// What lives, or has not been seen yet, cannot be mended or even asked for now. What has died, or was never there, says its own reason.
inline SensorReport under_lock(const LinkHub& hub, SensorReport report) {
  const bool is_hit = report.state == SensorState::up || report.state == SensorState::unknown;
  if (!hub.is_locked() || !is_hit) return report;
  report.state = SensorState::down;
  report.reason = &kKernelLocked;
  report.detail.clear();
  report.grace_ms.reset();
  return report;
}

}  // namespace sockmon
