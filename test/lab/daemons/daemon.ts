/** What the lab knows of one daemon: how it is started, the line of docs/DAEMONS.md that watches it, and what must be seen then. */

/** What sockmon sees: nothing at all, a hand-over to a successor that is no outage, or an outage. */
export type Sight = 'nothing' | 'replaced' | 'outage';

/** Something routine that is done to a daemon that runs. */
export interface Reload {
  /** As the table calls it, e.g. `systemctl reload` or `SIGHUP`. */
  readonly name: string;
  /** For sh -e; $MAIN is the pid that sockmon watches, $UNIT the unit. */
  readonly command: string;
  readonly sees: Sight;
}

/** Something else that the table says of a daemon. */
export interface Claim {
  /** A part of its row, word for word. */
  readonly says: string;
  /** For sh -e, without sockmon, the unit freshly started: fails where it is not so. $MAIN is the pid that the table's line watches. */
  readonly command: string;
}

/**
 * Who brings it back when `watch: {unit: ...}` with `restart: {unit: ...}` watches it, and what the first line of the table watches is
 * killed; nobody: the unit sees nothing of that death, or does not come back within half a minute.
 */
export type Bringer = 'sockmon' | 'systemd' | 'nobody';

export interface Daemon {
  /** Its name in the table, and the name of the resource. */
  readonly name: string;
  /** Debian's package; null where Debian has none: `program` says then where it comes from. */
  readonly package: string | null;
  /** Must be there, or the line is not played. */
  readonly program: string;
  /** Written into the machine before the start, by path. */
  readonly files?: Readonly<Record<string, string>>;
  /** For sh -e, before the start. */
  readonly before?: string;
  /** For sh, after all is over: what stopping the unit leaves behind. */
  readonly after?: string;
  /** What starts it and restarts it: Debian's own unit, or one of `files`. */
  readonly unit: string;
  /** What brings it back, for sh -e, where `systemctl restart UNIT` does not. */
  readonly restart?: string;
  /** The line of the table, as YAML of `watch:`, and others that do as well. Each of them is played. */
  readonly watch: readonly string[];
  readonly reloads?: readonly Reload[];
  /** Left out: systemd where the unit has a Restart=, else sockmon. */
  readonly byUnit?: Bringer;
  readonly claims?: readonly Claim[];
  /** The comm of the process that is to be watched, where it is not the name of the program. */
  readonly comm?: string;
  /** Why it cannot be played in the lab. The table says so too. */
  readonly notPlayed?: string;
}

/** `systemctl reload`, as most of Debian's units have it. */
export function systemctlReload(sees: Sight = 'nothing'): Reload {
  return { name: 'systemctl reload', command: 'systemctl reload $UNIT', sees };
}

export function signal(name: string, sees: Sight = 'nothing'): Reload {
  return { name: `SIG${name}`, command: `kill -${name} $MAIN`, sees };
}

/** A unit for what Debian gives none. */
export function unitFile(lines: string): string {
  return `[Service]\n${lines}\n`;
}

/** A link that is up, its other end in a network namespace of its own with an address and a DHCP server: a provider's line. */
export const providersLine = `
ip netns add isp
ip link add wan0 type veth peer name isp0 netns isp
ip -n isp address add 192.0.2.1/24 dev isp0
ip -n isp link set isp0 up
ip -n isp link set lo up
ip link set wan0 up
systemd-run --quiet --unit=isp -p NetworkNamespacePath=/run/netns/isp dnsmasq --keep-in-foreground --conf-file=/dev/null --port=0 \\
  --interface=isp0 --dhcp-range=192.0.2.50,192.0.2.60,1h --dhcp-leasefile=/run/isp.leases --pid-file=/run/isp.pid
`;
export const noProvidersLine = 'systemctl stop isp; ip link delete wan0; ip netns delete isp';
/** For a claim: an address of the provider's has come. */
export const leased = `until_true 'ip -4 -o address show wan0 | grep -q " 192\\.0\\.2\\."'`;
