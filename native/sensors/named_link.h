// An interface by its name.
#pragma once
#include <string>

#include "sensors/link_judge.h"

namespace sockmon {

struct NamedLinkSpec {
  std::string interface;
  enum class Address { keep, required, ignored } address = Address::keep;
  bool default_route = false;
  bool carrier = false;
};

/**
 * It exists, is up, and keeps what it had when it was alive: an IPv4 address or, where it has never had one, an IPv6 address. A prefix that the
 * provider takes away does not make a LAN of two families dead. After a death either is enough, since not everything may come back.
 */
class NamedLinkJudge final : public LinkJudge {
 public:
  explicit NamedLinkJudge(NamedLinkSpec spec) : spec_(std::move(spec)) {}

  LinkSight look(const NetworkStore& network, bool is_alive) override;
  bool depends_on(const NetworkStore& network, const NetworkChanges& changes, const LinkVerdict& verdict) const override;
  bool may_move(const NetworkStore&, int) const override { return false; }
  std::vector<std::string> standby(const NetworkStore&, int) const override { return {}; }

 private:
  bool lacks_address(const NetworkStore& network, bool is_alive);
  int find(const NetworkStore& network, bool is_alive) const;

  const NamedLinkSpec spec_;
  /// 0: not seen yet.
  int index_ = 0;
  /// How it was called then.
  std::string name_;
  /// Of the address that it had: AF_UNSPEC for none, AF_INET once it has had both.
  int family_ = AF_UNSPEC;
};

}  // namespace sockmon
