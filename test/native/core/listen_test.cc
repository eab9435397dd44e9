#include <random>

#include "check.h"
#include "process/listeners.h"
#include "process/proc_fs.h"

namespace sockmon {
namespace {

void forms_are_read() {
  CHECK(parse_listen("tcp:53")->port == 53 && !parse_listen("tcp:53")->address);
  CHECK(parse_listen("tcp:127.0.0.1:53")->address);
  CHECK(parse_listen("tcp:[::1]:53")->address);
  CHECK(parse_listen("udp:5353")->kind == ListenSpec::Kind::udp);
  CHECK(parse_listen("unix:/run/x.sock")->path == "/run/x.sock");
  for (const char* text : {"", "tcp", "tcp:", "tcp:0", "tcp:65536", "tcp:x", "tcp:1.2.3:4", "tcp:::1:53", "tcp:[1.2.3.4]:5",
                           "tcp:[]:5", "sctp:5", "unix:", "unix:x", "unix:/", "53", "tcp:127.0.0.1:"})
    CHECK(!parse_listen(text));
}

struct Tables {
  TempDir dir;
  ProcFs proc{dir.path()};

  std::string line(const char* address, const char* state, int inode) {
    return std::string("   0: ") + address + " 00000000:0000 " + state +
           " 00000000:00000000 00:00000000 00000000     0        0 " + std::to_string(inode) + " 1 0 100\n";
  }
  /// The first of those that serve it, from the tables of /proc/net.
  uint64_t inode(const char* text) {
    const ListenSpec spec = *parse_listen(text);
    const auto sockets = serving(spec, read_net_tables(proc, spec.kind));
    return sockets.empty() ? 0 : sockets[0].inode;
  }
};

void an_exact_address_wins() {
  Tables tables;
  tables.dir.write("thread-self/net/tcp", "header\n" + tables.line("00000000:0035", "0A", 1) +
                                              tables.line("0100007F:0035", "0A", 2) +
                                              tables.line("0100007F:0036", "01", 3));
  tables.dir.write("thread-self/net/tcp6",
                   "header\n" + tables.line("00000000000000000000000001000000:0037", "0A", 4) +
                       tables.line("00000000000000000000000000000000:0038", "0A", 5));
  tables.dir.write("thread-self/net/udp", "header\n" + tables.line("00000000:0035", "07", 6));
  CHECK(tables.inode("tcp:127.0.0.1:53") == 2);
  CHECK(tables.inode("tcp:10.0.0.1:53") == 1);
  CHECK(tables.inode("tcp:53") == 1);
  CHECK(tables.inode("tcp:54") == 0);  // established, not listening
  CHECK(tables.inode("tcp:[::1]:55") == 4);
  CHECK(tables.inode("tcp:[::2]:55") == 0);
  CHECK(tables.inode("tcp:127.0.0.1:56") == 5);  // :: serves IPv4 too
  CHECK(tables.inode("udp:53") == 6);
  CHECK(tables.inode("udp:54") == 0);
}

void a_path_may_have_spaces() {
  Tables tables;
  tables.dir.write("thread-self/net/unix",
                   "Num       RefCount Protocol Flags    Type St Inode Path\n"
                   "0000000000000000: 00000003 00000000 00000000 0001 03 11 /run/x.sock\n"
                   "0000000000000000: 00000002 00000000 00010000 0001 01 12 /run/x.sock\n"
                   "0000000000000000: 00000002 00000000 00010000 0001 01 13 /run/a b.sock\n"
                   "0000000000000000: 00000002 00000000 00000000 0002 01 14 /run/log\n"
                   "0000000000000000: 00000002 00000000 00010000 0001 01 15\n");
  CHECK(tables.inode("unix:/run/x.sock") == 12);
  CHECK(tables.inode("unix:/run/a b.sock") == 13);
  CHECK(tables.inode("unix:/run/log") == 14);
  CHECK(tables.inode("unix:/run/none") == 0);
}

void damaged_tables_do_no_harm() {
  std::mt19937 random(2);
  Tables tables;
  const std::string whole = "header\n" + tables.line("0100007F:0035", "0A", 2);
  for (int round = 0; round < 300; round++) {
    std::string text = whole;
    for (int i = 0; i < 3; i++) text[random() % text.size()] = static_cast<char>(random());
    text.resize(random() % (text.size() + 1));
    for (const char* name : {"tcp", "unix"}) tables.dir.write(std::string("thread-self/net/") + name, text);
    tables.inode("tcp:127.0.0.1:53");
    tables.inode("unix:/run/x");
  }
}

}  // namespace

void test_listen() {
  forms_are_read();
  an_exact_address_wins();
  a_path_may_have_spaces();
  damaged_tables_do_no_harm();
}

}  // namespace sockmon
