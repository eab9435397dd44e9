/** The parts of `--help` that commander does not write by itself. */
export const summary =
  'Watches the TCP/IP stack of this machine (or any service), restarts it when it dies, reboots as a last resort, and tells Home Assistant by MQTT.';

export const rootHelp = `
Examples:
  sockmon ./restart-network            watch this machine's network; when it dies, run the script,
                                       at most 6 times, 30 s apart, then ask for a reboot
  sockmon ./restart-network --allow-reboot
                                       the same, and really reboot
  sockmon check --config sockmon.yaml  what would be watched, or every fault in the file
  sockmon run --config sockmon.yaml    watch what the file says
  sockmon status                       how the running sockmon sees things
  sockmon history --limit 5            the last outages, from the journal
  sockmon history 12                   the whole story of one of them
  sockmon explain                      why this machine last rebooted
  sockmon pause dns --for 10m          leave it alone while you work on it
  sockmon drill dns                    kill it on purpose, and see it come back

Nothing reboots this machine unless reboot.allowed is true or --allow-reboot is given.
The settings are explained in config/sockmon.yaml. Every single-valued setting outside
"resources" can also come from the environment, e.g. SOCKMON_LOG_LEVEL or SOCKMON_MQTT_URL.`;

export const checkHelp = `
Prints file:line:column: key: what is wrong, what was expected, for every fault, and exits 78.
Without faults it says what would be watched and what there is of it now, and exits 0. Nothing is started.

Example:
  sockmon check --config /etc/sockmon/sockmon.yaml`;

export const runHelp = `
Later files win over earlier ones; resources are merged by their names.
SIGHUP reads the files again, SIGTERM and SIGINT stop.

Example:
  sockmon run --config /etc/sockmon/sockmon.yaml --config /etc/sockmon/local.yaml`;

export const statusHelp = `
Exits 0 when sockmon runs, 3 when it does not; then it tells what the journal last knew.

Examples:
  sockmon status --watch
  sockmon status --json | jq .snapshot.resources`;

export const historyHelp = `
Examples:
  sockmon history --json | jq '.[].cause'
  sockmon history 3f2a91c0-tcpip-12    cause, attempts with their output, evidence, reboot
  sockmon history tcpip-12             the same, in short`;

export const replayHelp = `
Everything dies, and comes back, when it did in the recording; scripts take as long and end as they did.
What another policy would have done meanwhile is what the very machine that decides in the daemon does.

Examples:
  sockmon replay /var/lib/sockmon/journal --config new.yaml
  grep 3f2a91c0-tcpip-12 /var/lib/sockmon/journal > outage
  sockmon replay outage --never-back --allow-reboot`;

export const discoveryHelp = `
Entities of resources that have been taken out of the configuration are removed by the running sockmon.
--remove is for a node that is given up, or was renamed. Stop sockmon first; what it was called before can be removed
while it runs, by --node.

Examples:
  sockmon discovery --config /etc/sockmon/sockmon.yaml | jq .components.alive
  sockmon discovery --config /etc/sockmon/sockmon.yaml --remove
  sockmon discovery --config /etc/sockmon/sockmon.yaml --remove --node old-name`;

export const drillHelp = `
Asks first, unless --yes is given. The outage is recorded as a drill and counted nowhere. Exits 0 when the
resource is back, 1 when the drill was refused or the resource did not come back.

Example:
  sockmon drill dns --yes --json`;

export const commandHelp = `
The running sockmon judges it by the same rules as a command from Home Assistant, and answers.
Exits 0 when it was accepted, 1 when it was refused.`;
