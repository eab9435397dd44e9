#include "network/netlink.h"

#include <arpa/inet.h>
#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include <cstring>
#include <random>

#include "base/error.h"
#include "check.h"

namespace sockmon {
namespace {

/// Builds messages as the kernel does.
class Message {
 public:
  template <typename Body>
  Message(int type, const Body& body, uint16_t flags = 0, uint32_t sequence = 1) {
    nlmsghdr header{};
    header.nlmsg_type = static_cast<uint16_t>(type);
    header.nlmsg_flags = flags;
    header.nlmsg_seq = sequence;
    append(&header, sizeof header);
    append(&body, sizeof body);
    seal();
  }
  Message& attribute(int type, const void* data, size_t size) {
    const rtattr header{static_cast<uint16_t>(sizeof(rtattr) + size), static_cast<uint16_t>(type)};
    append(&header, sizeof header);
    append(data, size);
    seal();
    return *this;
  }
  Message& attribute(int type, uint32_t value) { return attribute(type, &value, sizeof value); }
  Message& attribute(int type, const char* text) { return attribute(type, text, strlen(text) + 1); }
  Message& address(int type, const char* text) {
    char raw[16];
    const bool v4 = strchr(text, ':') == nullptr;
    CHECK(inet_pton(v4 ? AF_INET : AF_INET6, text, raw) == 1);
    return attribute(type, raw, v4 ? 4 : 16);
  }
  const std::string& bytes() const { return bytes_; }

 private:
  void append(const void* data, size_t size) {
    bytes_.append(static_cast<const char*>(data), size);
    bytes_.resize(NLMSG_ALIGN(bytes_.size()));
  }
  void seal() {
    const auto size = static_cast<uint32_t>(bytes_.size());
    memcpy(bytes_.data(), &size, sizeof size);
  }
  std::string bytes_;
};

Message link(int index, const char* name, unsigned flags) {
  ifinfomsg body{};
  body.ifi_index = index;
  body.ifi_flags = flags;
  return Message(RTM_NEWLINK, body).attribute(IFLA_IFNAME, name);
}

Message address(int family, int scope, unsigned flags = 0) {
  ifaddrmsg body{};
  body.ifa_family = static_cast<uint8_t>(family);
  body.ifa_scope = static_cast<uint8_t>(scope);
  body.ifa_prefixlen = 24;
  body.ifa_index = 2;
  return Message(RTM_NEWADDR, body).attribute(IFA_FLAGS, flags);
}

Message route(int family, int prefix = 0, int kind = RTN_UNICAST, int table = RT_TABLE_MAIN) {
  rtmsg body{};
  body.rtm_family = static_cast<uint8_t>(family);
  body.rtm_dst_len = static_cast<uint8_t>(prefix);
  body.rtm_type = static_cast<uint8_t>(kind);
  body.rtm_table = static_cast<uint8_t>(table);
  return Message(RTM_NEWROUTE, body);
}

NetworkState read(const Message& message) {
  NetworkState state;
  CHECK(read_messages(message.bytes().data(), message.bytes().size(), 0, state).error == 0);
  return state;
}

void links_and_addresses_are_read() {
  const NetworkState links = read(link(2, "tap0", IFF_UP | Interface::kLowerUp));
  CHECK(links.interfaces.size() == 1 && links.find("tap0")->up() && links.find(2)->carrier() && !links.find("tap1"));
  CHECK(read(address(AF_INET, 0).address(IFA_ADDRESS, "10.0.2.100")).addresses[0].text == "10.0.2.100/24");
  // The peer of a point-to-point link is not its address.
  const auto peer = read(address(AF_INET, 0).address(IFA_ADDRESS, "10.9.9.9").address(IFA_LOCAL, "10.0.0.1"));
  CHECK(peer.addresses[0].text == "10.0.0.1/24");
  CHECK(read(address(AF_INET6, 0).address(IFA_LOCAL, "fd00::1").address(IFA_ADDRESS, "fd00::2")).addresses[0].text == "fd00::1/24");
  CHECK(read(address(AF_INET, RT_SCOPE_LINK).address(IFA_LOCAL, "169.254.1.1")).addresses.empty());
  CHECK(read(address(AF_INET6, 0, IFA_F_TENTATIVE).address(IFA_ADDRESS, "fd00::1")).addresses.empty());
  CHECK(read(address(AF_INET6, 0, IFA_F_DADFAILED).address(IFA_ADDRESS, "fd00::1")).addresses.empty());
  CHECK(read(address(AF_INET6, 0, IFA_F_TENTATIVE | IFA_F_OPTIMISTIC).address(IFA_ADDRESS, "fd00::1")).addresses.size() == 1);
  CHECK(read(address(AF_INET, 0).address(IFA_LOCAL, "fd00::1")).addresses.empty());  // wrong length
}

void only_default_routes_of_the_main_table_count() {
  const auto one = read(route(AF_INET).attribute(RTA_OIF, 2).attribute(RTA_PRIORITY, 100));
  CHECK(one.routes.size() == 1 && one.routes[0].interface == 2 && one.routes[0].metric == 100);
  CHECK(read(route(AF_INET6).attribute(RTA_OIF, 3)).routes[0].family == AF_INET6);
  CHECK(read(route(AF_INET, 24).attribute(RTA_OIF, 2)).routes.empty());
  CHECK(read(route(AF_INET, 0, RTN_UNREACHABLE).attribute(RTA_OIF, 2)).routes.empty());
  CHECK(read(route(AF_INET, 0, RTN_UNICAST, 100).attribute(RTA_OIF, 2)).routes.empty());
  // Above 255 the number of the table is in the attribute.
  CHECK(read(route(AF_INET).attribute(RTA_OIF, 2).attribute(RTA_TABLE, 1000)).routes.empty());
  CHECK(read(route(AF_INET)).routes.empty());
  CHECK(read(route(RTNL_FAMILY_IPMR).attribute(RTA_OIF, 2)).routes.empty());
}

void every_living_hop_of_a_multipath_route_counts() {
  rtnexthop hops[3] = {};
  for (int i = 0; i < 3; i++) hops[i] = {sizeof(rtnexthop), 0, 0, i + 5};
  hops[1].rtnh_flags = RTNH_F_DEAD;
  const auto state = read(route(AF_INET).attribute(RTA_MULTIPATH, hops, sizeof hops));
  CHECK(state.routes.size() == 2 && state.routes[0].interface == 5 && state.routes[1].interface == 7);
  hops[0].rtnh_len = 0;  // would loop for ever
  CHECK(read(route(AF_INET).attribute(RTA_MULTIPATH, hops, sizeof hops)).routes.empty());
  hops[0].rtnh_len = 200;
  CHECK(read(route(AF_INET).attribute(RTA_MULTIPATH, hops, sizeof hops)).routes.empty());
}

Batch batch_of(const std::string& bytes, uint32_t sequence = 0) {
  NetworkState state;
  return read_messages(bytes.data(), bytes.size(), sequence, state);
}

void control_messages_are_understood() {
  nlmsgerr refused{};
  refused.error = -EPERM;
  CHECK(batch_of(Message(NLMSG_ERROR, refused).bytes()).error == EPERM);
  CHECK(batch_of(Message(NLMSG_DONE, 0).bytes()).done);
  CHECK(batch_of(Message(NLMSG_DONE, -EINVAL).bytes()).error == EINVAL);
  CHECK(batch_of(Message(NLMSG_DONE, 0, NLM_F_MULTI | NLM_F_DUMP_INTR).bytes()).interrupted);
  // What is left of an earlier dump.
  CHECK(!batch_of(Message(NLMSG_DONE, 0, 0, 7).bytes(), 8).done);
}

void floods_of_other_routes_do_not_matter() {
  CHECK(!batch_of(route(AF_INET, 24).bytes() + route(AF_INET6, 64).bytes()).matters);
  CHECK(batch_of(route(AF_INET, 24).bytes() + route(AF_INET).bytes()).matters);
  CHECK(batch_of(link(2, "tap0", 0).bytes()).matters);
}

void hostile_messages_do_no_harm() {
  const std::string whole = link(2, "tap0", IFF_UP).bytes() + address(AF_INET, 0).address(IFA_LOCAL, "10.0.0.1").bytes() +
                            route(AF_INET).attribute(RTA_OIF, 2).bytes();
  // Each length in its own allocation, so that ASan sees every read beyond the end.
  for (size_t size = 0; size <= whole.size(); size++) {
    const std::string cut(whole.data(), size);
    const std::vector<char> exact(cut.begin(), cut.end());
    NetworkState state;
    read_messages(exact.data(), exact.size(), 0, state);
  }
  CHECK(batch_of(whole.substr(0, whole.size() - 4)).error == EBADMSG);
  std::mt19937 random(3);
  for (int round = 0; round < 50'000; round++) {
    std::vector<char> damaged(whole.begin(), whole.end());
    for (int i = 0; i < 5; i++) damaged[random() % damaged.size()] = static_cast<char>(random());
    NetworkState state;
    read_messages(damaged.data(), damaged.size(), 0, state);
  }
}

void the_real_kernel_is_asked() {
  FakeSys sys;
  sys.on_recv = [left = 2](int) mutable { return left-- > 0 ? static_cast<ssize_t>(fail(EINTR)) : FakeSys::kReal; };
  const NetworkState state = dump_network(sys);
  CHECK(state.find("lo") != nullptr && state.find(1) != nullptr);
  for (size_t i = 1; i < state.routes.size(); i++)
    CHECK(state.routes[i - 1].family == AF_INET || state.routes[i].family == AF_INET6);
}

void a_refused_socket_is_an_error() {
  FakeSys sys;
  sys.on_socket = [](int domain) { return domain == AF_NETLINK ? fail(EPERM) : FakeSys::kReal; };
  for (const bool dump : {true, false}) {
    std::string code;
    try {
      dump ? (void)dump_network(sys) : (void)open_network_events(sys);
    } catch (const Error& error) {
      code = error.code();
    }
    CHECK(code == "EPERM");
  }
}

}  // namespace

void test_netlink() {
  links_and_addresses_are_read();
  only_default_routes_of_the_main_table_count();
  every_living_hop_of_a_multipath_route_counts();
  control_messages_are_understood();
  floods_of_other_routes_do_not_matter();
  hostile_messages_do_no_harm();
  the_real_kernel_is_asked();
  a_refused_socket_is_an_error();
}

}  // namespace sockmon
