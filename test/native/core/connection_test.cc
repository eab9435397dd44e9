#include "sensors/connection.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <deque>

#include "base/error.h"
#include "check.h"

namespace sockmon {
namespace {

// ---- Words

void addresses_are_read_as_people_write_them() {
  for (const char* text : {"tcp:127.0.0.1:53", "tcp:[::1]:65535", "tcp:localhost:1", "unix:/run/x.sock", "unix:@name"})
    CHECK(PeerAddress::parse(text));
  for (const char* text : {"", "tcp", "tcp:", "tcp:53", "tcp:127.0.0.1", "tcp:127.0.0.1:0", "tcp:127.0.0.1:65536", "tcp:127.0.0.1:x",
                           "tcp:127.0.0.1:53 ", "tcp:::1:53", "tcp:[::1]", "tcp:[127.0.0.1]:53", "tcp:router.lan:53", "tcp:[fe80::1%lo]:1",
                           "udp:127.0.0.1:53", "unix:", "unix:@", "unix:/", "unix:run/x.sock"})
    CHECK(!PeerAddress::parse(text));
  CHECK(!PeerAddress::parse("unix:/" + std::string(107, 'x')) && PeerAddress::parse("unix:/" + std::string(106, 'x')));
  // An abstract name has no zero at its end.
  CHECK(PeerAddress::parse("unix:@ab")->size() == sizeof(sa_family_t) + 3 && PeerAddress::parse("unix:/ab")->size() == sizeof(sa_family_t) + 4);
}

void bytes_are_written_with_backslashes() {
  CHECK(unescape(R"(a\r\n\t\\b\x00\xfF)") == std::string("a\r\n\t\\b\0\xff", 8));
  for (const char* text : {"\\", "\\q", "\\x", "\\x1", "\\x1g", "\\xg1", "\\x-1"}) CHECK(!unescape(text));
}

std::string complaint_about(std::map<std::string, Fields::Value> values) {
  try {
    read_connection_spec(Fields("s", std::move(values)));
  } catch (const Error& error) {
    CHECK(error.code() == kBadArgument);
    return error.what();
  }
  return "";
}

void wrong_fields_are_answered_with_the_next_step() {
  const auto has = [](const std::string& text, const char* part) { return text.find(part) != std::string::npos; };
  CHECK(has(complaint_about({}), "s.to: expected tcp:ADDRESS:PORT"));
  CHECK(has(complaint_about({{"to", "tcp:router.lan:53"}}), "write the address"));
  CHECK(has(complaint_about({{"to", "unix:/x"}, {"silentAfterMs", 2999.0}}), "at least 3000"));
  CHECK(has(complaint_about({{"to", "unix:/x"}, {"expect", "\\q"}}), "s.expect: expected \\r"));
  CHECK(has(complaint_about({{"to", "unix:/x"}, {"greeting", std::string(1025, 'x')}}), "at most 1024 bytes"));
  CHECK(complaint_about({{"to", "unix:/x"}, {"greeting", std::string(1024, 'x')}}).empty());
}

// ---- A server that does what a test says

UniqueFd listen_at(const PeerAddress& address, int backlog, bool reuse) {
  UniqueFd fd(socket(address.get()->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int on = 1;
  if (reuse) CHECK(setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0);
  if (bind(fd.get(), address.get(), address.size()) != 0 || listen(fd.get(), backlog) != 0) return UniqueFd();
  return fd;
}

/// `tcp:127.0.0.1:PORT` with a port that is free: one that the kernel has just given and taken back.
std::string free_address(const std::string& host) {
  const auto any = *PeerAddress::parse("tcp:" + host + ":1");
  UniqueFd fd(socket(any.get()->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_storage address{};
  memcpy(&address, any.get(), any.size());
  // The port stands at the same place in both families.
  auto* v4 = reinterpret_cast<sockaddr_in*>(&address);
  v4->sin_port = 0;
  socklen_t size = any.size();
  CHECK(bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
  CHECK(getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
  return "tcp:" + host + ":" + std::to_string(ntohs(v4->sin_port));
}

struct Server {
  PeerAddress address;
  UniqueFd listener;
  std::deque<UniqueFd> connections;
  /// Closes each connection as soon as it has accepted it.
  bool throws_out = false;
  int accepted = 0;

  explicit Server(const PeerAddress& where, bool reuse = true) : address(where), listener(listen_at(where, 16, reuse)) { CHECK(listener); }

  /// Takes whoever waits.
  void turn() {
    for (;;) {
      UniqueFd connection(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
      if (!connection) return;
      accepted++;
      if (!throws_out) connections.push_back(std::move(connection));
    }
  }
  void say(const std::string& text) { CHECK(send(connections.back().get(), text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size())); }
  std::string hear() {
    char buffer[2048];
    const ssize_t got = recv(connections.back().get(), buffer, sizeof buffer, 0);
    return got > 0 ? std::string(buffer, static_cast<size_t>(got)) : "";
  }
  /// Between the two a dying process leaves some microseconds, in either order.
  void die() {
    listener.reset();
    connections.clear();
  }
  void reset_all() {
    for (const UniqueFd& connection : connections) abort_at_close(connection.get());
    connections.clear();
  }
};

struct World {
  FakeSys sys;
  Reactor reactor{sys, no_errors};
  RecordingHost host;
  TempDir dir;
  std::string text;
  ConnectionSpec spec;
  std::unique_ptr<Server> server;
  std::unique_ptr<ConnectionSensor> sensor;

  explicit World(const std::string& to = "")
      : text(!to.empty() ? to : "unix:" + dir.path() + "/x.sock"), spec{*PeerAddress::parse(text)} {
    spec.connect_timeout_ms = 300;
    spec.proof_ms = 200;
  }
  void serve() {
    if (spec.to.is_unix()) unlink((dir.path() + "/x.sock").c_str());
    server = std::make_unique<Server>(spec.to);
  }
  SensorReport start() {
    sensor = std::make_unique<ConnectionSensor>(reactor, host, std::make_shared<ConnectionSpec>(spec));
    const SensorReport report = sensor->start();
    if (server && server->listener) server->turn();
    return report;
  }
  void start_up() {
    serve();
    CHECK(start().state == SensorState::up && server->accepted == 1);
  }
  /// The server takes whoever comes meanwhile.
  void until(const std::function<bool()>& condition) {
    run_until(reactor, [&] {
      if (server && server->listener) server->turn();
      return condition();
    });
  }
  void until_reports(size_t count) {
    until([&] { return host.reports.size() >= count; });
  }
  void pass(double ms) {
    const double end_ms = sys.boot_ms() + ms;
    until([&] { return sys.boot_ms() >= end_ms; });
  }
  const SensorReport& last() const { return host.reports.back(); }
};

std::vector<std::string> every_kind() {
  std::vector<std::string> kinds = {"", "unix:@sockmon-test-" + std::to_string(getpid()), free_address("127.0.0.1")};
  if (const auto v6 = PeerAddress::parse("tcp:[::1]:1"); listen_at(*v6, 1, true)) kinds.push_back(free_address("[::1]"));
  return kinds;
}

// ---- Deaths

void a_dead_server_is_seen_and_its_successor_found() {
  for (const std::string& to : every_kind()) {
    World world(to);
    world.start_up();
    world.server->die();
    world.until_reports(1);
    CHECK(world.last().state == SensorState::down && world.last().reason == &kPeerClosed);
    CHECK(world.last().detail == "ECONNREFUSED");
    // The reflex before the report.
    CHECK((world.host.order == std::vector<std::string>{"died", "report"}));
    CHECK(world.sensor->snapshot().state == SensorState::down);
    world.serve();
    world.until_reports(2);
    CHECK(world.last().state == SensorState::up && !world.last().reason && !world.last().replaced);
    world.server->die();
    world.until_reports(3);
    CHECK(world.last().state == SensorState::down && world.host.faults.empty());
  }
}

void a_reset_is_a_death_where_nobody_listens_any_more() {
  World world(free_address("127.0.0.1"));
  world.start_up();
  world.server->listener.reset();
  world.server->reset_all();
  world.until_reports(1);
  CHECK(world.last().reason == &kPeerReset);
}

void a_vanished_path_is_a_refusal() {
  World world;
  world.start_up();
  unlink((world.dir.path() + "/x.sock").c_str());
  world.server->die();
  world.until_reports(1);
  CHECK(world.last().reason == &kPeerClosed && world.last().detail == "ENOENT");
}

void what_the_queue_of_a_dying_listener_accepts_is_no_successor() {
  for (const std::string& to : {std::string(), free_address("127.0.0.1")}) {
    World world(to);
    world.start_up();
    // As the kernel does it for a task that exits: what it has opened last is released first.
    world.server->connections.clear();
    world.reactor.run_once();
    CHECK(world.host.order.empty());
    world.server->die();
    const double died_ms = world.sys.boot_ms();
    world.until_reports(1);
    CHECK(world.last().state == SensorState::down && world.last().reason == &kPeerClosed && !world.last().replaced);
    CHECK(world.sys.boot_ms() - died_ms < 250);
    // Nor does it make the true successor wait for its proof.
    world.serve();
    const double back_ms = world.sys.boot_ms();
    world.until_reports(2);
    CHECK(world.last().state == SensorState::up && world.sys.boot_ms() - back_ms < 500);
  }
}

/// A server without SO_REUSEADDR could not listen for a minute on a port that a TIME_WAIT is left on.
void a_dead_server_finds_its_port_free_again() {
  for (const bool listener_first : {true, false}) {
    World world(free_address("127.0.0.1"));
    world.server = std::make_unique<Server>(world.spec.to, false);
    CHECK(world.start().state == SensorState::up);
    if (!listener_first) {
      world.server->connections.clear();
      world.reactor.run_once();
      CHECK(world.host.order.empty());
    }
    world.server->die();
    world.until_reports(1);
    CHECK(world.last().state == SensorState::down);
    world.server = std::make_unique<Server>(world.spec.to, false);
    world.until_reports(2);
  }
}

/// Else the test above could not fail.
void an_ordinary_client_leaves_the_port_taken() {
  Server server(*PeerAddress::parse(free_address("127.0.0.1")), false);
  UniqueFd client(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  CHECK(connect(client.get(), server.address.get(), server.address.size()) == 0);
  server.turn();
  CHECK(server.connections.size() == 1);
  server.die();
  client.reset();
  CHECK(!listen_at(server.address, 16, false) && errno == EADDRINUSE);
}

void doubt_sees_it_at_once() {
  World world(free_address("127.0.0.1"));
  world.start_up();
  world.sensor->doubt();
  CHECK(world.host.order.empty());
  world.server->die();
  world.sensor->doubt();
  CHECK(world.host.reports.size() == 1 && world.last().reason == &kPeerClosed);
  world.serve();
  world.sensor->doubt();
  CHECK(world.host.reports.size() == 2 && world.last().state == SensorState::up);
}

// ---- No deaths

void a_polite_close_is_a_hand_over() {
  for (const std::string& to : {std::string(), free_address("127.0.0.1")}) {
    World world(to);
    world.start_up();
    for (const bool by_reset : {false, true}) {
      if (by_reset && world.spec.to.is_unix()) continue;
      world.sensor.reset();
      world.host = RecordingHost();
      CHECK(world.start().state == SensorState::up);
      if (by_reset) {
        world.server->reset_all();
      } else {
        world.server->connections.clear();
      }
      world.until_reports(1);
      CHECK(world.last().state == SensorState::up && world.last().replaced && world.host.order.size() == 1);
      CHECK(world.last().replaced->find(by_reset ? "reset the connection" : "closed the connection") != std::string::npos);
      CHECK(world.server->connections.size() == 1);
      // One that closes whatever is idle is not told each time.
      world.server->connections.clear();
      world.pass(300);
      CHECK(world.host.reports.size() == 1 && world.server->connections.size() == 1);
      // And its death is still one.
      world.server->die();
      world.until_reports(2);
      CHECK(world.last().state == SensorState::down);
      world.serve();
    }
  }
}

void a_talkative_server_is_never_kept_waiting() {
  for (const std::string& to : {std::string(), free_address("127.0.0.1")}) {
    World world(to);
    world.start_up();
    const std::string text(4096, 'x');
    size_t left = 4 << 20;
    world.until([&] {
      while (left > 0) {
        const ssize_t sent = send(world.server->connections.back().get(), text.data(), std::min(left, text.size()), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent <= 0) break;
        left -= static_cast<size_t>(sent);
      }
      return left == 0;
    });
    CHECK(world.host.reports.empty());
    // Its last words do not hide its death.
    world.server->say("bye");
    world.server->die();
    world.until_reports(1);
    CHECK(world.last().state == SensorState::down);
  }
}

void what_was_never_there_is_absent_and_sought() {
  World world;
  CHECK(world.start().state == SensorState::absent);
  CHECK(world.sensor->snapshot().detail == "ENOENT" && world.host.reports.empty());
  world.serve();
  const double since_ms = world.sys.boot_ms();
  world.until_reports(1);
  CHECK(world.last().state == SensorState::up && (world.host.order == std::vector<std::string>{"report"}));
  CHECK(world.sys.boot_ms() - since_ms > 200);
  CHECK(world.host.faults.empty());
}

// ---- Servers that accept and do not serve

void one_that_throws_out_again_and_again_is_broken_and_left_alone() {
  for (const std::string& to : {std::string(), free_address("127.0.0.1")}) {
    World world(to);
    world.start_up();
    world.server->throws_out = true;
    world.server->connections.clear();
    world.until_reports(1);
    CHECK(world.last().state == SensorState::down && world.last().reason == &kClosesAtOnce);
    const int asked = world.server->accepted;
    CHECK(asked >= 3 && asked < 15);
    world.pass(1200);
    // Neither up again and again, nor a storm.
    CHECK(world.host.reports.size() == 1 && world.server->accepted - asked < 12);
    world.server->throws_out = false;
    world.until_reports(2);
    CHECK(world.last().state == SensorState::up);
  }
}

/// One connection that nobody accepts: a queue of length 0 holds one.
UniqueFd fill_the_queue(World& world) {
  CHECK(listen(world.server->listener.get(), 0) == 0);
  UniqueFd other(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  CHECK(connect(other.get(), world.spec.to.get(), world.spec.to.size()) == 0);
  return other;
}

void a_queue_that_is_full_is_waited_for_and_then_a_death() {
  World world;
  world.start_up();
  const UniqueFd other = fill_the_queue(world);
  world.server->connections.clear();
  world.reactor.run_once();
  CHECK(world.host.order.empty());
  const auto stopped = std::move(world.server);
  world.until_reports(1);
  CHECK(world.last().reason == &kPeerClosed && world.last().detail == "EAGAIN");
  CHECK(world.host.faults.empty());
}

void a_queue_that_is_full_for_a_moment_is_no_death() {
  World world;
  world.start_up();
  const UniqueFd other = fill_the_queue(world);
  world.server->connections.clear();
  world.reactor.run_once();
  world.until_reports(1);
  CHECK(world.last().state == SensorState::up && world.last().replaced);
}

/// A full queue of a TCP listener drops the SYN: as a server elsewhere that does not answer.
void an_answer_that_does_not_come_is_an_absence_only_when_its_time_is_over() {
  World world(free_address("127.0.0.1"));
  world.server = std::make_unique<Server>(world.spec.to);
  CHECK(listen(world.server->listener.get(), 0) == 0);
  const auto stopped = std::move(world.server);
  std::vector<UniqueFd> others;
  for (int i = 0; i < 4; i++) {
    others.emplace_back(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    connect(others.back().get(), world.spec.to.get(), world.spec.to.size());
  }
  CHECK(world.start().state == SensorState::unknown);
  CHECK(world.sensor->snapshot().state == SensorState::unknown && world.host.reports.empty());
  world.until_reports(1);
  CHECK(world.last().state == SensorState::absent && world.last().detail == "ETIMEDOUT");
}

void what_is_expected_counts() {
  for (const std::string& to : {std::string(), free_address("127.0.0.1")}) {
    World world(to);
    world.spec.greeting = "PING\r\n";
    world.spec.expect = "+PONG";
    world.serve();
    CHECK(world.start().state == SensorState::unknown);
    CHECK(world.server->hear() == "PING\r\n");
    world.server->say("hello +PO");
    world.pass(20);
    CHECK(world.host.reports.empty());
    world.server->say("NG\r\n");
    world.until_reports(1);
    CHECK(world.last().state == SensorState::up);
    // A successor that accepts and says nothing, as one that hangs.
    world.server->connections.clear();
    world.until_reports(2);
    CHECK(world.last().state == SensorState::down && world.last().reason == &kNoGreeting);
    CHECK((world.host.order == std::vector<std::string>{"report", "died", "report"}));
  }
}

void anything_else_does_not() {
  for (const std::string& words : {std::string("-ERR\r\n"), std::string(kFirstWordsBytes + 8, 'x') + "+PONG"}) {
    World world;
    world.spec.expect = "+PONG";
    world.serve();
    CHECK(world.start().state == SensorState::unknown);
    world.server->say(words);
    world.until_reports(1);
    CHECK(world.last().state == SensorState::absent && world.last().detail == kNoGreeting.words);
    CHECK(world.host.order.size() == 1 && world.host.faults.empty());
  }
}

void a_server_that_closes_before_its_first_words_is_asked_again_then_broken() {
  World world;
  world.spec.expect = "+PONG";
  world.serve();
  world.start();
  world.server->say("+PONG");
  world.until_reports(1);
  world.server->throws_out = true;
  world.server->connections.clear();
  world.until_reports(2);
  CHECK(world.last().reason == &kNoGreeting && world.server->accepted > 3 && world.server->accepted < 15);
}

// ---- What the kernel says of what lies between

/// The next end of a connection is told with this error.
void told_by_the_kernel(World& world, int error) {
  world.sys.on_getsockopt = [&world, error](int option, void* value) {
    if (option != SO_ERROR) return FakeSys::kReal;
    *static_cast<int*>(value) = error;
    world.sys.on_getsockopt = nullptr;
    return 0;
  };
}

void silence_is_asked_about_as_well() {
  struct {
    int connect_error;
    const Reason* reason;
  } const cases[] = {{ETIMEDOUT, &kSilent}, {EHOSTUNREACH, &kSilent}, {ENETUNREACH, &kSilent}, {ECONNREFUSED, &kRefused}};
  for (const auto& [connect_error, reason] : cases) {
    World world(free_address("127.0.0.1"));
    world.start_up();
    told_by_the_kernel(world, ETIMEDOUT);
    world.sys.on_connect = [error = connect_error](int, const sockaddr*, socklen_t) { return fail(error); };
    world.server->connections.clear();
    world.until_reports(1);
    CHECK(world.last().state == SensorState::down && world.last().reason == reason);
    CHECK(world.last().detail == errno_name(connect_error));
  }
  // A NAT that has forgotten the connection, with the server well and alive.
  World world(free_address("127.0.0.1"));
  world.start_up();
  told_by_the_kernel(world, ETIMEDOUT);
  world.server->connections.clear();
  world.until_reports(1);
  CHECK(world.last().replaced && world.last().replaced->find("nothing was heard") == 0);
}

void a_close_behind_a_lost_route_is_no_death_of_the_server() {
  World world(free_address("127.0.0.1"));
  world.start_up();
  world.sys.on_connect = [](int, const sockaddr*, socklen_t) { return fail(ENETUNREACH); };
  world.server->connections.clear();
  world.until_reports(1);
  CHECK(world.last().reason == &kSilent && world.last().reason->nature == Nature::unreachable);
}

// ---- Traps of our own

/// The kernel may give a client the very port that it asks for.
void a_connection_to_itself_is_no_server() {
  for (const char* host : {"127.0.0.1", "[::1]"}) {
    if (!listen_at(*PeerAddress::parse(std::string("tcp:") + host + ":1"), 1, true)) continue;
    World world(free_address(host));
    int with_itself = 0;
    world.sys.on_connect = [&](int fd, const sockaddr* to, socklen_t size) {
      if (bind(fd, to, size) == 0) with_itself++;
      return FakeSys::kReal;
    };
    const SensorReport report = world.start();
    CHECK(with_itself == 1 && report.state == SensorState::absent && report.detail == "ECONNREFUSED");
    world.sys.on_connect = nullptr;
    // Nothing is left on the port.
    world.server = std::make_unique<Server>(world.spec.to, false);
    world.until_reports(1);
    CHECK(world.last().state == SensorState::up);
  }
}

void our_own_lack_is_no_absence_of_the_server() {
  World world;
  world.serve();
  world.sys.on_socket = [left = 3](int) mutable { return left-- > 0 ? fail(EMFILE) : FakeSys::kReal; };
  CHECK(world.start().state == SensorState::unknown);
  CHECK(world.host.faults.size() == 1 && world.host.faults[0].code == "EMFILE");
  world.until_reports(1);
  CHECK(world.last().state == SensorState::up && !world.host.faults.back().active);
}

void our_own_lack_while_asking_is_no_death() {
  World world;
  world.start_up();
  world.sys.on_connect = [left = 2](int, const sockaddr*, socklen_t) mutable { return left-- > 0 ? fail(EADDRNOTAVAIL) : FakeSys::kReal; };
  world.server->connections.clear();
  world.until_reports(1);
  CHECK(world.last().state == SensorState::up && world.last().replaced);
  CHECK(!world.host.faults.empty() && !world.host.faults.back().active);
}

void what_can_never_be_asked_is_a_fault() {
  World world;
  // A datagram socket has no connections.
  UniqueFd datagrams(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  CHECK(bind(datagrams.get(), world.spec.to.get(), world.spec.to.size()) == 0);
  CHECK(world.start().state == SensorState::absent);
  CHECK(world.host.faults.size() == 1 && world.host.faults[0].code == "EPROTOTYPE");
}

size_t open_descriptors() {
  size_t count = 0;
  for (int fd = 0; fd < 1024; fd++) count += fcntl(fd, F_GETFD) >= 0;
  return count;
}

void nothing_is_left_open() {
  const size_t before = open_descriptors();
  {
    World world;
    world.start_up();
    for (int i = 0; i < 1000; i++) {
      world.server->die();
      world.until_reports(world.host.reports.size() + 1);
      CHECK(world.last().state == SensorState::down);
      world.serve();
      world.sensor->doubt();
      world.server->turn();
      CHECK(world.last().state == SensorState::up);
    }
  }
  CHECK(open_descriptors() == before);
}

}  // namespace

void test_connection() {
  addresses_are_read_as_people_write_them();
  bytes_are_written_with_backslashes();
  wrong_fields_are_answered_with_the_next_step();
  a_dead_server_is_seen_and_its_successor_found();
  a_reset_is_a_death_where_nobody_listens_any_more();
  a_vanished_path_is_a_refusal();
  what_the_queue_of_a_dying_listener_accepts_is_no_successor();
  a_dead_server_finds_its_port_free_again();
  an_ordinary_client_leaves_the_port_taken();
  doubt_sees_it_at_once();
  a_polite_close_is_a_hand_over();
  a_talkative_server_is_never_kept_waiting();
  what_was_never_there_is_absent_and_sought();
  one_that_throws_out_again_and_again_is_broken_and_left_alone();
  a_queue_that_is_full_is_waited_for_and_then_a_death();
  a_queue_that_is_full_for_a_moment_is_no_death();
  an_answer_that_does_not_come_is_an_absence_only_when_its_time_is_over();
  what_is_expected_counts();
  anything_else_does_not();
  a_server_that_closes_before_its_first_words_is_asked_again_then_broken();
  silence_is_asked_about_as_well();
  a_close_behind_a_lost_route_is_no_death_of_the_server();
  a_connection_to_itself_is_no_server();
  our_own_lack_is_no_absence_of_the_server();
  our_own_lack_while_asking_is_no_death();
  what_can_never_be_asked_is_a_fault();
  nothing_is_left_open();
}

}  // namespace sockmon
