// The kinds `link` and `uplink`: their fields and their reasons.
#include "network/table_names.h"
#include "sensors/kernel_lock.h"
#include "sensors/link.h"
#include "sensors/named_link.h"
#include "sensors/uplink_judge.h"

namespace sockmon {
namespace {

/// IFNAMSIZ is 16 with the terminating zero.
constexpr size_t kLongestName = 15;
/// A client that is given another address may look for 7 s whether somebody else has it (RFC 5227, 2.1.1; dhcpcd: 4.9 to 5.5 s seen), and busybox's
/// udhcpc sleeps for 3 s when it has been refused.
constexpr double kRenewalMs = 10'000;
/// Root servers of the DNS: addresses that stay. Nothing is sent to them.
constexpr const char* kInternet4 = "198.41.0.4";
constexpr const char* kInternet6 = "2001:503:ba3e::2:30";

const std::vector<const Reason*> kReasons{&kInterfaceGone, &kInterfaceDown, &kStackGone, &kLowerDown,
                                         &kNoAddress, &kNoDefaultRoute, &kNoCarrier, &kKernelLocked};

std::optional<std::string> interface_name(const Fields& fields, const std::string& field) {
  auto name = fields.text(field);
  if (name && name->size() > kLongestName) fields.refuse(field, "expected the name of an interface, 1 to 15 bytes long");
  return name;
}

NamedLinkSpec named_spec(const Fields& fields) {
  using Address = NamedLinkSpec::Address;
  NamedLinkSpec spec;
  const auto name = interface_name(fields, "interface");
  if (!name) fields.refuse("interface", "expected the name of an interface, 1 to 15 bytes long");
  spec.interface = *name;
  const std::string address = fields.text("address").value_or("keep");
  if (address == "dead") spec.address = Address::required;
  else if (address == "ignore") spec.address = Address::ignored;
  else if (address != "keep") fields.refuse("address", "expected keep, dead or ignore");
  spec.default_route = fields.flag("defaultRoute", spec.default_route);
  spec.carrier = fields.flag("carrier", spec.carrier);
  return spec;
}

UplinkSpec::Families families_of(const Fields& fields) {
  using Families = UplinkSpec::Families;
  const std::string word = fields.text("families").value_or("auto");
  if (word == "auto") return Families::automatic;
  if (word == "any") return Families::any;
  if (word == "all") return Families::all;
  if (word == "4") return Families::v4;
  if (word == "6") return Families::v6;
  fields.refuse("families", "expected auto, any, all, 4 or 6");
}

IpAddress destination(const Fields& fields, const std::string& field, int family) {
  const auto text = fields.text(field);
  if (!text) return {};
  const auto address = parse_address(*text);
  if (!address || address->family != family) fields.refuse(field, family == AF_INET ? "expected an IPv4 address" : "expected an IPv6 address");
  return *address;
}

UplinkSpec uplink_spec(const Fields& fields) {
  UplinkSpec spec;
  spec.towards4 = destination(fields, "towards4", AF_INET);
  spec.towards6 = destination(fields, "towards6", AF_INET6);
  spec.is_towards_given = spec.towards4.any() || spec.towards6.any();
  if (!spec.is_towards_given) {
    spec.towards4 = *parse_address(kInternet4);
    spec.towards6 = *parse_address(kInternet6);
  }
  spec.families = families_of(fields);
  spec.mark = static_cast<uint32_t>(fields.whole("mark").value_or(0));
  spec.vrf = interface_name(fields, "vrf").value_or("");
  spec.table = fields.text("table").value_or("");
  if (!spec.table.empty() && (spec.mark != 0 || !spec.vrf.empty())) fields.refuse("table", "expected it without mark and vrf");
  if (!spec.table.empty()) spec.table_number = table_number(spec.table).value_or(0);
  spec.carrier = fields.flag("carrier", spec.carrier);
  return spec;
}

/// A sensor with a judge of its own.
template <typename MakeJudge>
SensorMaker watch(double renewal_ms, MakeJudge make_judge) {
  SensorMaker maker = [renewal_ms, make_judge](const SensorWorld& world, SensorHost& host) -> std::unique_ptr<Sensor> {
    return std::make_unique<LinkSensor>(world.reactor, world.hub, host, make_judge(world), renewal_ms);
  };
  maker.reads_network = true;
  return maker;
}

}  // namespace

SensorKind link_kind() {
  return {"link", {"interface", "address", "defaultRoute", "carrier", "renewalMs"}, kReasons, [](const Fields& fields) {
            return watch(fields.milliseconds("renewalMs", 0, kRenewalMs), [spec = named_spec(fields)](const SensorWorld&) {
              return std::make_unique<NamedLinkJudge>(spec);
            });
          }};
}

SensorKind uplink_kind() {
  return {"uplink", {"towards4", "towards6", "families", "mark", "vrf", "table", "carrier", "renewalMs"}, kReasons, [](const Fields& fields) {
            return watch(fields.milliseconds("renewalMs", 0, kRenewalMs), [spec = uplink_spec(fields)](const SensorWorld& world) {
              return std::make_unique<UplinkJudge>(spec, world.hub.router());
            });
          }};
}

}  // namespace sockmon
