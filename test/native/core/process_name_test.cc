#include "process/process_name.h"

#include "check.h"
#include "process/matching.h"

namespace sockmon {
namespace {

ProcessFacts process(const std::string& comm, std::vector<std::string> argv, const std::string& executable = "") {
  ProcessFacts facts;
  facts.stat.pid = 100;
  facts.stat.session = 50;
  facts.stat.comm = comm;
  facts.argv = std::move(argv);
  facts.executable = executable;
  return facts;
}

void a_program_bears_its_own_name() {
  const auto dnsmasq = process("dnsmasq", {"/usr/sbin/dnsmasq", "-k"}, "/usr/sbin/dnsmasq");
  CHECK(has_name(dnsmasq, "dnsmasq") && !has_name(dnsmasq, "dnsmas") && !has_name(dnsmasq, "dnsmasq2") && !has_name(dnsmasq, "-k"));
  // It has changed its title, or its comm: two of three still tell.
  CHECK(has_name(process("nginx", {"nginx: master process /usr/sbin/nginx"}, "/usr/sbin/nginx"), "nginx"));
  CHECK(has_name(process("main", {"my title"}, "/usr/bin/renamed"), "renamed"));
  // What it works on is no name of its own.
  CHECK(!has_name(process("vi", {"vi", "/etc/dnsmasq"}, "/usr/bin/vim"), "dnsmasq"));
  CHECK(!has_name(process("sudo", {"sudo", "dnsmasq"}, "/usr/bin/sudo"), "dnsmasq"));
}

void a_name_may_be_longer_than_comm() {
  const std::string name = "networkd-dispatcher";
  CHECK(has_name(process("networkd-dispat", {"/usr/bin/python3", "/usr/bin/networkd-dispatcher", "--run"}, "/usr/bin/python3.11"), name));
  CHECK(has_name(process("networkd-dispat", {"/opt/networkd-dispatcher"}, "/opt/networkd-dispatcher"), name));
  // Another program that begins alike.
  CHECK(!has_name(process("networkd-dispat", {"/opt/networkd-dispatched"}, "/opt/networkd-dispatched"), name));
  CHECK(!has_name(process("networkd-dispat", {}, ""), name));
  // The cut name is what people read in ps.
  CHECK(has_name(process("networkd-dispat", {"/usr/bin/python3", "/usr/bin/networkd-dispatcher"}, ""), "networkd-dispat"));
}

void a_script_is_what_its_interpreter_runs() {
  const auto by_env = process("python3", {"python3", "-u", "/opt/bridge/zigbee"}, "/usr/bin/python3.11");
  CHECK(has_name(by_env, "zigbee") && script_name(by_env) == "zigbee");
  CHECK(has_name(by_env, "python3"));
  CHECK(script_name(process("python3", {"python3", "-W", "ignore", "x.py"}, "/usr/bin/python3.11")) == "x.py");
  CHECK(script_name(process("python3", {"python3", "-m", "homeassistant", "-c", "/c"}, "/usr/bin/python3.11")) == "homeassistant");
  CHECK(script_name(process("sh", {"sh", "-c", "/usr/sbin/dnsmasq"}, "/usr/bin/dash")).empty());
  CHECK(script_name(process("node", {"node", "--max-old-space-size=1", "/opt/app.js"}, "/usr/bin/node")) == "app.js");
  CHECK(script_name(process("dnsmasq", {"dnsmasq", "-C", "/etc/x"}, "/usr/sbin/dnsmasq")).empty());
  // The interpreter of #! is known by the name that the kernel has given, whatever it is.
  CHECK(script_name(process("ruleset", {"/usr/sbin/nft", "-f", "/etc/ruleset"}, "/usr/sbin/nft")) == "ruleset");
}

void an_interpreter_is_not_every_script() {
  const auto script = process("networkd-dispat", {"/usr/bin/python3.11", "/usr/bin/networkd-dispatcher"}, "/usr/bin/python3.11");
  const auto renamed = process("homebridge", {"homebridge"}, "/usr/bin/node");
  CHECK(!has_name(renamed, "node"));
  CHECK(!has_name(script, "sh") && !has_name(script, "python"));
  CHECK(!has_name(process("ls", {"ls"}, "/bin/busybox"), "busybox"));
}

void a_service_script_is_not_the_service() {
  CHECK(!has_name(process("dnsmasq", {"/bin/sh", "/etc/init.d/dnsmasq", "restart"}, "/usr/bin/dash"), "dnsmasq"));
  CHECK(!has_name(process("dnsmasq", {"/bin/sh", "/etc/rc.common", "/etc/init.d/dnsmasq", "boot"}, "/bin/busybox"), "dnsmasq"));
  // In the session of a running restart script: neither the script nor its subshells, but a daemon in Python.
  const std::string path = "/etc/sockmon/dnsmasq";
  CHECK(!has_name_in_script(process("dnsmasq", {"/bin/sh", path}, "/usr/bin/dash"), "dnsmasq"));
  CHECK(has_name_in_script(process("dnsmasq", {"/usr/sbin/dnsmasq"}, "/usr/sbin/dnsmasq"), "dnsmasq"));
  auto daemon = process("dispatcher", {"/usr/bin/python3", "/usr/bin/dispatcher"}, "/usr/bin/python3.11");
  CHECK(has_name_in_script(daemon, "dispatcher"));
  daemon.stat.session = daemon.stat.pid;
  CHECK(!has_name_in_script(daemon, "dispatcher"));
}

void a_likely_name_is_told_from_others() {
  CHECK(likeness("foo-bar", "foo") == 3);
  CHECK(likeness("named", "Named") > likeness("foo-bar", "foo"));
  CHECK(likeness("mosquitto", "mosquito") > 0);
  CHECK(likeness("dnsmsaq", "dnsmasq") > 0 && likeness("hsotapd", "hostapd") > 0 && likeness("ntpsd", "ntpds") > 0);
  CHECK(likeness("abc", "acb") == 0 && likeness("crond", "corn") == 0 && likeness("ntpd", "ntdx") == 0);
  CHECK(likeness("bash", "dnsmasq") == 0 && likeness("sh", "sshd") == 0 && likeness("", "x") == 0);
}

void words_of_a_command_line_narrow() {
  ProcessSpec spec;
  spec.name = "openvpn";
  spec.command = "--config  home.conf";
  const auto home = process("openvpn", {"/usr/sbin/openvpn", "--config", "home.conf"});
  CHECK(fits_words(spec, home, false));
  CHECK(!fits_words(spec, process("openvpn", {"/usr/sbin/openvpn", "--config", "home.conf2"}), false));
  CHECK(!fits_words(spec, process("other", {"/usr/sbin/other", "--config", "home.conf"}), false));
  spec.name.clear();
  CHECK(fits_words(spec, process("other", {"other --config home.conf"}), false));
}

}  // namespace

void test_process_name() {
  a_program_bears_its_own_name();
  a_name_may_be_longer_than_comm();
  a_script_is_what_its_interpreter_runs();
  an_interpreter_is_not_every_script();
  a_service_script_is_not_the_service();
  a_likely_name_is_told_from_others();
  words_of_a_command_line_narrow();
}

}  // namespace sockmon
