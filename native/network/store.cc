#include "network/store.h"

#include <linux/rtnetlink.h>

#include <algorithm>
#include <utility>

namespace sockmon {
namespace {

const std::vector<LinkAddress> kNoAddresses;

/// An IPv6 address is there once on a link, an IPv4 address once for each prefix and peer.
bool same_address(const LinkAddress& a, const LinkAddress& b) {
  if (a.local != b.local) return false;
  return a.local.family == AF_INET6 || (a.prefix_length == b.prefix_length && a.peer == b.peer);
}

}  // namespace

void Doubts::add(const Doubts& others) {
  tables.insert(others.tables.begin(), others.tables.end());
  nexthops |= others.nexthops;
}

bool equal(const Link& a, const Link& b) {
  return a.index == b.index && a.name == b.name && a.altnames == b.altnames && a.kind == b.kind && a.flags == b.flags &&
         a.master == b.master && a.lower == b.lower && a.lower_elsewhere == b.lower_elsewhere && a.vrf_table == b.vrf_table;
}

bool equal(const LinkAddress& a, const LinkAddress& b) {
  return a.link == b.link && a.local == b.local && a.peer == b.peer && a.prefix_length == b.prefix_length && a.scope == b.scope &&
         a.flags == b.flags;
}

bool equal(const Nexthop& a, const Nexthop& b) {
  const auto same_member = [](const Nexthop::Member& x, const Nexthop::Member& y) { return x.id == y.id && x.weight == y.weight; };
  return a.id == b.id && a.family == b.family && a.link == b.link && a.gateway == b.gateway && a.blackhole == b.blackhole &&
         a.fdb == b.fdb &&
         std::equal(a.members.begin(), a.members.end(), b.members.begin(), b.members.end(), same_member);
}

Change NetworkStore::apply(Fact fact) {
  Change change;
  if (auto* link = std::get_if<Link>(&fact.what)) change = apply_link(std::move(*link), fact.gone);
  else if (const auto* address = std::get_if<LinkAddress>(&fact.what)) change = apply_address(*address, fact.gone);
  else if (auto* route = std::get_if<Route>(&fact.what)) change = apply_route(std::move(*route), fact.gone, fact.verb);
  else if (const auto* rule = std::get_if<Rule>(&fact.what)) change = apply_rule(*rule, fact.gone);
  else if (const auto* nexthop = std::get_if<Nexthop>(&fact.what)) change = apply_nexthop(*nexthop, fact.gone);
  if ((change.what & (Change::kRoute | Change::kNexthop)) != 0) default_routes_known_ = false;
  if (doubts_.any()) change.what |= Change::kConfirm;
  return change;
}

Doubts NetworkStore::take_doubts() { return std::exchange(doubts_, {}); }

void NetworkStore::add_names(const Link& link) { names_[link.name] = link.index; }

void NetworkStore::remove_names(const Link& link) {
  const auto found = names_.find(link.name);
  // Two links that swap their names are told one after the other.
  if (found != names_.end() && found->second == link.index) names_.erase(found);
}

Change NetworkStore::apply_link(Link link, bool gone) {
  const int index = link.index;
  const auto found = links_.find(index);
  if (gone) {
    if (found == links_.end()) return {};
    remove_names(found->second);
    links_.erase(found);
    unsigned what = Change::kLink | links_hops_down(index, true, true) | flush_nexthops(index);
    if (addresses_.erase(index) != 0) what |= Change::kAddress;
    return {what, index};
  }
  if (found == links_.end()) {
    add_names(link);
    if (link.vrf_table != 0) {
      doubt(AF_INET, link.vrf_table);
      doubt(AF_INET6, link.vrf_table);
    }
    links_.emplace(index, std::move(link));
    return {Change::kLink, index};
  }
  if (equal(found->second, link)) return {};
  const unsigned before = found->second.flags;
  if (found->second.name != link.name) {
    remove_names(found->second);
    add_names(link);
  }
  found->second = std::move(link);
  return {Change::kLink | follow_flags(found->second, before), index};
}

Change NetworkStore::apply_address(const LinkAddress& address, bool gone) {
  std::vector<LinkAddress>& list = addresses_[address.link];
  const auto found = std::find_if(list.begin(), list.end(), [&](const LinkAddress& each) { return same_address(each, address); });
  if (gone) {
    if (found == list.end()) return {};
    list.erase(found);
    return {Change::kAddress | address_gone(address), address.link};
  }
  if (found != list.end()) {
    if (equal(*found, address)) return {};
    *found = address;
    return {Change::kAddress, address.link};
  }
  list.push_back(address);
  unsigned what = Change::kAddress;
  // An address gives life to hops that had gone with the last one.
  const Link* link = find(address.link);
  if (address.local.family == AF_INET && link != nullptr && link->up()) what |= links_hops_up(AF_INET, address.link);
  return {what, address.link};
}

Change NetworkStore::apply_rule(const Rule& rule, bool gone) {
  const auto found = std::find_if(rules_.begin(), rules_.end(), [&](const Rule& each) { return each.content == rule.content; });
  if (gone) {
    if (found == rules_.end()) return {};
    rules_.erase(found);
    return {Change::kRule, 0};
  }
  if (found != rules_.end()) return {};
  const auto place = std::find_if(rules_.begin(), rules_.end(), [&](const Rule& each) {
    return std::pair(each.family, each.priority) > std::pair(rule.family, rule.priority);
  });
  // Its table has not been read if no rule had named it.
  if (rule.table != 0 && tables(rule.family).count(rule.table) == 0) doubt(rule.family, rule.table);
  rules_.insert(place, rule);
  return {Change::kRule, 0};
}

Change NetworkStore::apply_nexthop(const Nexthop& nexthop, bool gone) {
  const auto found = nexthops_.find(nexthop.id);
  if (gone) {
    if (found == nexthops_.end()) return {};
    const int link = found->second.link;
    return {nexthop_gone(nexthop.id), link};
  }
  if (found != nexthops_.end() && equal(found->second, nexthop)) return {};
  nexthops_[nexthop.id] = nexthop;
  return {Change::kNexthop, nexthop.link};
}

const Link* NetworkStore::find(int index) const {
  const auto found = links_.find(index);
  return found == links_.end() ? nullptr : &found->second;
}

const Link* NetworkStore::find(const std::string& name) const {
  const auto found = names_.find(name);
  return found == names_.end() ? nullptr : find(found->second);
}

const std::vector<LinkAddress>& NetworkStore::addresses_of(int link) const {
  const auto found = addresses_.find(link);
  return found == addresses_.end() ? kNoAddresses : found->second;
}

bool NetworkStore::has_usable_address(int link, int family) const {
  const auto& list = addresses_of(link);
  return std::any_of(list.begin(), list.end(), [&](const LinkAddress& each) {
    return each.usable() && (family == AF_UNSPEC || each.local.family == family);
  });
}

std::vector<std::string> NetworkStore::usable_addresses(int link) const {
  std::vector<std::string> texts;
  // IPv4 first, as the kernel lists them.
  for (const int family : {AF_INET, AF_INET6}) {
    for (const LinkAddress& each : addresses_of(link)) {
      if (each.local.family == family && each.usable()) texts.push_back(each.text());
    }
  }
  return texts;
}

std::set<uint32_t> NetworkStore::tables(uint8_t family) const {
  std::set<uint32_t> tables{RT_TABLE_MAIN, RT_TABLE_DEFAULT, RT_TABLE_LOCAL};
  for (const Rule& rule : rules_) {
    if (rule.family == family && rule.table != 0) tables.insert(rule.table);
  }
  for (const auto& [index, link] : links_) {
    if (link.vrf_table != 0) tables.insert(link.vrf_table);
  }
  return tables;
}

}  // namespace sockmon
