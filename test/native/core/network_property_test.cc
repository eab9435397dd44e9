// Random changes of a network namespace by ip(8): after each the store equals what the kernel says when it is asked for everything.
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <random>
#include <sstream>

#include "check.h"
#include "network/audit.h"
#include "network/netlink.h"

namespace sockmon {
namespace {

constexpr int kOperations = 300;
/// The end of a namespace with a full table of routes holds the kernel's lock for seconds.
constexpr int kPatienceMs = 60'000;
/// Linkwatch of the kernel takes a second, and for more than a hundred devices of the whole machine one more for each hundred.
constexpr int kUntoldMs = 30'000;

int number_from(const char* variable, int fallback) {
  const char* text = getenv(variable);
  return text == nullptr ? fallback : atoi(text);
}

std::string describe(const Route& route) {
  std::ostringstream out;
  out << (route.family == AF_INET ? "v4" : "v6") << " /" << int(route.prefix_length) << (route.upper_half ? " upper" : "") << " table "
      << route.table << " metric " << route.metric << " tos " << int(route.tos) << " type " << int(route.type) << " proto "
      << int(route.protocol) << " scope " << int(route.scope) << " nhid " << route.nexthop << " src " << route.source.text() << " pref "
      << int(route.preference);
  for (const Hop& hop : route.hops)
    out << " [" << hop.link << " " << hop.gateway.text() << " w" << int(hop.weight) << " flags " << int(hop.flags) << "]";
  return out.str();
}

std::string describe(const NetworkStore& store) {
  std::ostringstream out;
  std::map<int, Link> links(store.links().begin(), store.links().end());
  for (const auto& [index, link] : links) {
    out << "link " << index << " " << link.name << " " << link.kind << " flags " << std::hex << link.flags << std::dec << " master "
        << link.master << " lower " << link.lower;
    for (const std::string& name : link.altnames) out << " alt " << name;
    out << "\n";
    for (const LinkAddress& each : store.addresses_of(index))
      out << "  " << each.text() << " peer " << each.peer.text() << " scope " << int(each.scope) << " flags " << std::hex << each.flags
          << std::dec << "\n";
  }
  for (const auto& [key, list] : store.routes()) {
    for (const Route& route : list) out << describe(route) << "\n";
  }
  for (const Rule& rule : store.rules()) out << "rule " << int(rule.family) << " " << rule.priority << " table " << rule.table << "\n";
  for (const auto& [id, nexthop] : store.nexthops()) {
    out << "nexthop " << id << " family " << int(nexthop.family) << " link " << nexthop.link << " " << nexthop.gateway.text()
        << (nexthop.blackhole ? " blackhole" : "");
    for (const auto& member : nexthop.members) out << " " << member.id << "," << int(member.weight);
    out << "\n";
  }
  return out.str();
}

/// One ip(8) that does what it is told line by line, whatever comes of it.
class Ip {
 public:
  explicit Ip(const char* family) : family_(family) { start(); }
  ~Ip() {
    input_.reset();
    waitpid(pid_, nullptr, 0);
  }
  void run(const std::string& line) const {
    const std::string text = line + "\n";
    // What it does not understand ends it, whatever -force says: then nobody reads.
    [[maybe_unused]] const ssize_t written = write(input_.get(), text.data(), text.size());
  }
  bool revive() {
    if (waitpid(pid_, nullptr, WNOHANG) == 0) return false;
    start();
    return true;
  }

 private:
  void start() {
    int pipe[2];
    CHECK(pipe2(pipe, O_CLOEXEC) == 0);
    pid_ = fork();
    CHECK(pid_ >= 0);
    if (pid_ == 0) {
      dup2(pipe[0], STDIN_FILENO);
      const int null = open("/dev/null", O_WRONLY);
      dup2(null, STDOUT_FILENO);
      if (getenv("SOCKMON_PROPERTY_LOUD") == nullptr) dup2(null, STDERR_FILENO);
      execlp("ip", "ip", family_, "-force", "-batch", "-", nullptr);
      _exit(127);
    }
    close(pipe[0]);
    input_ = UniqueFd(pipe[1]);
  }

  const char* const family_;
  pid_t pid_ = -1;
  UniqueFd input_;
};

/// Says what may be said of two pairs of veth, a bridge and the loopback interface. Much of it the kernel refuses.
class Dice {
 public:
  explicit Dice(unsigned seed) : random_(seed) {}

  std::string operation() {
    switch (number(20)) {
      case 0: case 1: case 2: return link();
      case 3: case 4: case 5: case 6: return address();
      case 7: case 8: return rule();
      case 9: case 10: case 11: return nexthop();
      default: return route();
    }
  }

 private:
  int number(int below) { return static_cast<int>(random_() % static_cast<unsigned>(below)); }
  bool chance(int of) { return number(of) == 0; }
  std::string one(std::initializer_list<const char*> words) { return words.begin()[number(static_cast<int>(words.size()))]; }
  std::string device() { return one({"v0", "w0", "v1", "w1", "br0", "v0", "v1"}); }
  std::string table() { return one({"main", "main", "100", "101", "103"}); }

  std::string link() {
    const std::string pair = one({"0", "1"});
    switch (number(10)) {
      case 0: return "link del v" + pair;
      case 1: case 2:
        return "link add name v" + pair + " index " + (pair == "0" ? "100" : "102") + " type veth peer name w" + pair + " index " +
               (pair == "0" ? "101" : "103");
      case 3: return "link set " + one({"w0", "w1", "v1"}) + " " + one({"master br0", "nomaster"});
      case 4: return "link property " + one({"add", "del"}) + " dev " + device() + " altname " + one({"alt1", "alt2"});
      case 5: return "link set " + device() + " " + one({"promisc on", "promisc off", "allmulticast on", "arp off", "arp on"});
      case 6: return chance(3) ? "link set lo " + one({"down", "up", "up"}) : "link set " + device() + " up";
      default: return "link set " + device() + " " + one({"up", "up", "down"});
    }
  }

  std::string address() {
    const std::string on = " dev " + (chance(6) ? "lo" : device());
    const std::string v4 = one({"192.0.2.1/24", "192.0.2.2/24", "192.0.2.1/25", "10.9.0.1/32", "10.9.0.2/24", "10.9.0.2 peer 10.9.0.3/32"});
    const std::string v6 = one({"fd00::1/64", "fd00::2/64", "fd01::1/128", "fd01::1 peer fd01::2/128"});
    switch (number(8)) {
      case 0: case 1: return "-4 addr del " + v4 + on;
      case 2: case 3: return "-4 addr add " + v4 + on + (chance(4) ? " scope link" : "");
      case 4: return "-6 addr del " + v6 + on;
      case 5: return "-6 addr add " + v6 + on + one({" nodad", " nodad", ""});
      case 6: return chance(3) ? "addr flush" + on : "-4 addr add " + v4 + on;
      default: return "-6 addr change " + v6 + on + " nodad" + one({" preferred_lft 1000 valid_lft 2000", "", " preferred_lft 0"});
    }
  }

  std::string way(bool v4, const std::string& device) {
    const std::string gateway = v4 ? one({"192.0.2.254", "192.0.2.253", "10.9.0.3"}) : one({"fd00::fe", "fd00::fd", "fe80::1"});
    if (v4 && chance(10)) return "via inet6 fe80::1 dev " + device + " onlink";
    return chance(3) ? "dev " + device : "via " + gateway + " dev " + device + (chance(3) ? "" : " onlink");
  }

  std::string route() {
    const bool v4 = !chance(3);
    const std::string destination = v4 ? one({"default", "default", "default", "0.0.0.0/1", "128.0.0.0/1", "default", "10.77.0.0/16"})
                                       : one({"default", "default", "default", "::/1", "8000::/1", "fd77::/64"});
    const std::string verb = one({"add", "add", "append", "prepend", "replace", "replace", "change", "del", "del"});
    std::string line = std::string(v4 ? "-4" : "-6") + " route " + verb + " ";
    const bool is_refusal = verb != "del" && chance(12);
    if (is_refusal) line += one({"unreachable ", "blackhole ", "prohibit ", "throw "});
    line += destination;
    if (!v4 && chance(12)) line += " from fd55::/56";
    if (!is_refusal) {
      if (chance(6)) {
        line += " nhid " + one({"1", "2", "3", "10", "11"});
      } else if (chance(4)) {
        line += " nexthop " + way(v4, device()) + one({"", " weight 2"}) + " nexthop " + way(v4, device());
        if (chance(3)) line += " nexthop " + way(v4, device());
      } else if (verb != "del" || chance(2)) {
        line += " " + way(v4, chance(12) ? "lo" : device());
      }
    }
    line += " table " + table();
    line += one({"", "", " metric 10", " metric 20"});
    if (v4 && chance(10)) line += " tos 0x10";
    if (verb != "del") {
      if (chance(5)) line += v4 ? one({" src 192.0.2.1", " src 10.9.0.1", " src 10.9.0.2"}) : one({" src fd00::1", " src fd01::1"});
      if (chance(10)) line += " mtu 1400";
      if (chance(10)) line += one({" proto static", " proto dhcp", " proto ra"});
      if (v4 && chance(12)) line += one({" scope link", " scope host", " scope global"});
      if (!v4 && chance(12)) line += " pref high";
    }
    return line;
  }

  std::string rule() {
    std::string line = one({"-4 rule ", "-6 rule "}) + one({"add", "add", "del"}) + " pref " + one({"100", "101", "102", "103"});
    line += one({"", " from 192.0.2.0/24", " fwmark 7", " iif v0", " oif w1", " not fwmark 8"});
    if (line[1] == '6' && line.find("192.") != std::string::npos) line = "-6 rule del pref 100";
    return line + one({" lookup 100", " lookup 101", " lookup 103", " lookup main suppress_prefixlength 0", " unreachable"});
  }

  std::string nexthop() {
    const std::string id = one({"1", "2", "3", "4"});
    switch (number(9)) {
      case 0: case 1: return "nexthop del id " + one({"1", "2", "3", "4", "10", "11"});
      case 2: return "nexthop replace id " + one({"10", "11"}) + " group " + one({"1", "1/2", "1,3/2", "2/3", "1/2/3/4", "4"});
      case 3: return "nexthop add id " + one({"10", "11"}) + " group " + one({"1", "1/2", "2/3"});
      case 4: return "nexthop add id " + id + " blackhole";
      case 5: case 6: return "nexthop replace id " + id + " via " + one({"192.0.2.254", "192.0.2.253"}) + " dev " + device() + " onlink";
      case 7: return "nexthop replace id " + id + " via " + one({"fe80::1", "fd00::fe"}) + " dev " + device() + " onlink";
      default: return "nexthop add id " + id + " dev " + device();
    }
  }

  std::mt19937 random_;
};

class World {
 public:
  World() : events_(open_network_events(sys_)) {
    // Of a namespace that has just been made: all that comes is told.
    store_ = read_network(sys_);
    for (const char* line : {"link add name mark index 200 type bridge", "link add name br0 index 110 type bridge", "link set lo up"}) run(line);
    // A rule for good, so that these tables are asked for; 103 is one that rules come to name and cease to.
    for (const char* rule : {"-4 rule add pref 90 lookup 100", "-4 rule add pref 91 lookup 101", "-6 rule add pref 90 lookup 100",
                             "-6 rule add pref 91 lookup 101"})
      run(rule);
    for (const char* pair : {"0", "1"}) {
      const std::string at = pair[0] == '0' ? "100" : "102", peer = pair[0] == '0' ? "101" : "103";
      run(std::string("link add name v") + pair + " index " + at + " type veth peer name w" + pair + " index " + peer);
    }
  }

  /// Empty if the store is right.
  std::string after(const std::string& operation) {
    run(operation);
    for (;;) {
      wait_for_changes_under_way(sys_);
      drain();
      const uint64_t before = messages_;
      const Doubts doubts = store_.take_doubts();
      std::string wrong;
      if (doubts.any()) {
        confirmations_++;
        const NetworkStore read = read_doubtful(sys_, doubts);
        drain();
        if (messages_ != before) continue;
        // Of IPv6 it is asked where no rule says what becomes of it.
        Doubts ruled = doubts;
        for (auto each = ruled.tables.begin(); each != ruled.tables.end();) each = each->first == AF_INET6 ? ruled.tables.erase(each) : std::next(each);
        const Differences refuted = is_lo_down() ? Differences() : compare(store_, read, ruled);
        if (refuted.sum() != 0) wrong = "A rule of ours is wrong. Believed:\n" + describe(store_) + "\nthe kernel:\n" + describe(read);
        store_.take_over(read, doubts);
      }
      const NetworkStore read = read_network(sys_);
      drain();
      // Carriers and duplicate address detection take their time: what came meanwhile is in one of them only.
      if (messages_ != before) continue;
      if (!wrong.empty()) return wrong;
      if (compare(store_, read).sum() == 0) return "";
      // Carriers and IPv6 addresses are shown before they are told, which a work queue does: a carrier up to a second before.
      if (waits_for_message()) continue;
      return "The store is wrong. Kept:\n" + describe(store_) + "\nread:\n" + describe(read);
    }
  }
  /// Then what is the machine's own depends on what was up when it came, and no rule says it.
  bool is_lo_down() const { return !store_.find("lo")->up(); }
  bool waits_for_message() {
    pollfd one{events_.get(), POLLIN, 0};
    const bool came = poll(&one, 1, kUntoldMs) == 1;
    drain();
    return came;
  }
  uint64_t messages() const { return messages_; }
  uint64_t confirmations() const { return confirmations_; }

 private:
  /// Does it, and hears of all that it has brought about at once.
  void run(const std::string& line) {
    const bool is_option = line[0] == '-';
    Ip& ip = is_option && line[1] == '6' ? ipv6_ : ipv4_;
    ip.run(is_option ? line.substr(3) : line);
    const std::string before = marks_ == 0 ? "mark" : name();
    if (marks_ == 0 && line.find(" name mark ") == std::string::npos) return;
    marks_++;
    const std::string mark = "link set dev " + before + " name " + name();
    ip.run(mark);
    const double since_ms = sys_.boot_ms();
    while (store_.find(name()) == nullptr) {
      CHECK(sys_.boot_ms() < since_ms + kPatienceMs);
      if (ip.revive()) ip.run(mark);
      pollfd one{events_.get(), POLLIN, 0};
      poll(&one, 1, 10);
      drain();
    }
  }
  std::string name() const { return "mark" + std::to_string(marks_); }
  void drain() {
    for (;;) {
      const ssize_t got = recv(events_.get(), buffer_, sizeof buffer_, 0);
      if (got < 0) {
        CHECK(errno == EAGAIN);
        return;
      }
      CHECK(read_messages(buffer_, static_cast<size_t>(got), 0, [&](Fact&& fact) {
              messages_++;
              store_.apply(std::move(fact));
            }).error == 0);
    }
  }

  Sys& sys_ = real_sys();
  UniqueFd events_;
  Ip ipv4_{"-4"}, ipv6_{"-6"};
  NetworkStore store_;
  uint64_t marks_ = 0, messages_ = 0, confirmations_ = 0;
  char buffer_[64 << 10];
};

int play() {
  const int operations = number_from("SOCKMON_PROPERTY_OPERATIONS", kOperations);
  const auto seed = static_cast<unsigned>(number_from("SOCKMON_PROPERTY_SEED", static_cast<int>(std::random_device()() >> 1)));
  World world;
  Dice dice(seed);
  std::vector<std::string> last;
  for (int i = 0; i < operations; i++) {
    const std::string operation = dice.operation();
    last.push_back(operation);
    if (getenv("SOCKMON_PROPERTY_LOUD") != nullptr) fprintf(stderr, "%d: ip %s\n", i, operation.c_str());
    if (last.size() > 30) last.erase(last.begin());
    const std::string wrong = world.after(operation);
    if (wrong.empty()) continue;
    fprintf(stderr, "SOCKMON_PROPERTY_SEED=%u, after operation %d:\n", seed, i);
    for (const std::string& line : last) fprintf(stderr, "  ip %s\n", line.c_str());
    fprintf(stderr, "%s\n", wrong.c_str());
    return 1;
  }
  fprintf(stderr, "network_property: seed %u, %d operations, %lu messages, %lu confirmations, no difference\n", seed, operations,
          world.messages(), world.confirmations());
  return 0;
}

/// In a child, so that nothing else of the tests is in that namespace.
void the_store_is_what_the_kernel_says() {
  const pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    if (unshare(CLONE_NEWNET) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) {
      fprintf(stderr, "network_property: skipped, no network namespace can be made here: %s\n", strerror(errno));
      _exit(0);
    }
    _exit(play());
  }
  int status = 0;
  CHECK(waitpid(child, &status, 0) == child && status == 0);
}

}  // namespace

void test_network_property() { the_store_is_what_the_kernel_says(); }

}  // namespace sockmon
