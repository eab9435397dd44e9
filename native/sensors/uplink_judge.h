// What carries this machine's traffic: the interface that the kernel would send it through.
#pragma once
#include <string>

#include "network/lookup.h"
#include "sensors/link_judge.h"

namespace sockmon {

struct UplinkSpec {
  /// A destination of each family: none, where that family is not asked for.
  IpAddress towards4, towards6;
  /// By the owner; else they are public addresses, and what leads to them is a default route.
  bool is_towards_given = false;
  /// auto: IPv4, or IPv6 where there has never been IPv4: a gateway that has lost its IPv4 is not whole because IPv6 is left.
  enum class Families { automatic, any, all, v4, v6 } families = Families::automatic;
  uint32_t mark = 0;
  /// The name of a VRF; empty: none.
  std::string vrf;
  /// A routing table as the owner calls it, by its number or its name; empty: the kernel is asked, with all its rules.
  std::string table;
  /// Its number; 0: no such name is known.
  uint32_t table_number = 0;
  bool carrier = false;
};

class UplinkJudge final : public LinkJudge {
 public:
  UplinkJudge(UplinkSpec spec, Router& router) : spec_(std::move(spec)), router_(router) {}

  LinkSight look(const NetworkStore& network, bool is_alive) override;
  bool depends_on(const NetworkStore& network, const NetworkChanges& changes, const LinkVerdict& verdict) const override;
  bool asks_kernel() const override { return spec_.table.empty(); }
  bool may_move(const NetworkStore& network, int from) const override;
  std::vector<std::string> standby(const NetworkStore& network, int beside) const override;
  std::optional<std::vector<std::string>> families(const NetworkStore& network) override;

 private:
  /// How one family stands.
  struct Way {
    /// 0: there is none.
    int link = 0;
    /// Null: it carries.
    const Reason* missing = nullptr;
    int family = AF_UNSPEC;
    double lasts_ms = INFINITY;
  };
  bool minds_each_family() const;
  std::optional<Path> find(const NetworkStore& network, const IpAddress& towards);
  Way way(const NetworkStore& network, const IpAddress& towards);
  Way choose(const NetworkStore& network);
  LinkSight sight_through(const NetworkStore& network, const Way& way);
  /// Why no link is meant at all.
  std::string nowhere(const NetworkStore& network, int family) const;

  const UplinkSpec spec_;
  Router& router_;
  /// The link that carried when it was last whole, and its name.
  int index_ = 0;
  std::string name_;
  bool had_v4_ = false;
  /// IPv6 led out by a route that expires, when it was last asked for.
  bool expires_ = false;
  /// It had an address of its own then, of the family that carried.
  bool had_address_ = false;
};

}  // namespace sockmon
