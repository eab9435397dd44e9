/** Routes as /proc/net/route and /proc/net/ipv6_route have them (proc_pid_net(5)), in the words of `ip route`. Pure. */

/** Flags of linux/route.h and linux/ipv6_route.h. */
const flag = {
  up: 0x1,
  gateway: 0x2,
  reject: 0x200,
  cache: 0x0100_0000,
  anycast: 0x0010_0000,
  local: 0x8000_0000,
};

interface Route {
  readonly isDefault: boolean;
  readonly words: string;
}

/** The routes of both tables, the default ones first. What cannot be read is left out. */
export function routeWords(ipv4: string, ipv6: string): string[] {
  const routes = [...ipv4.split('\n').map(ipv4Route), ...ipv6.split('\n').map(ipv6Route)];
  const found = routes.filter((route): route is Route => route !== null);
  const sorted = [...found.filter(route => route.isDefault), ...found.filter(route => !route.isDefault)];
  return [...new Set(sorted.map(({ words }) => words))];
}

/** Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT; the addresses in the byte order of the machine. */
function ipv4Route(line: string): Route | null {
  const [device = '', to = '', via = '', flagWord = '', , , metricWord = '', mask = ''] = line
    .trim()
    .split(/\s+/);
  if (![to, via, mask].every(word => /^[0-9A-F]{8}$/i.test(word))) return null;
  if (!/^[0-9A-F]{1,8}$/i.test(flagWord)) return null;
  const flags = Number.parseInt(flagWord, 16);
  const bits = prefixLength(mask);
  if (!(flags & flag.up) || flags & flag.reject || bits === null) return null;
  const gateway = flags & flag.gateway ? ipv4Address(via) : null;
  return route(`${ipv4Address(to)}/${bits}`, bits === 0, gateway, device, Number(metricWord));
}

/** Destination, its prefix, source, its prefix, next hop, metric, references, uses, flags, device; all numbers in hex. */
function ipv6Route(line: string): Route | null {
  const words = line.trim().split(/\s+/);
  const [to = '', bitsWord = '', , , via = '', metricWord = '', , , flagWord = '', device = ''] = words;
  if (![to, via].every(word => /^[0-9a-f]{32}$/i.test(word))) return null;
  if (![bitsWord, metricWord, flagWord].every(word => /^[0-9a-f]{1,8}$/i.test(word))) return null;
  const flags = Number.parseInt(flagWord, 16);
  const bits = Number.parseInt(bitsWord, 16);
  const isNoise = flags & (flag.reject | flag.cache | flag.anycast | flag.local) || /^(ff|fe80)/i.test(to);
  // All tables are in this file; the local one is told by its flags and by the loopback device.
  if (!(flags & flag.up) || isNoise || bits > 128 || device === 'lo') return null;
  const gateway = flags & flag.gateway ? ipv6Address(via) : null;
  return route(`${ipv6Address(to)}/${bits}`, bits === 0, gateway, device, Number.parseInt(metricWord, 16));
}

function route(to: string, isDefault: boolean, via: string | null, device: string, metric: number): Route {
  const parts = [isDefault ? 'default' : to];
  if (via !== null) parts.push(`via ${via}`);
  parts.push(`dev ${device}`);
  if (metric > 0) parts.push(`metric ${metric}`);
  return { isDefault, words: parts.join(' ') };
}

const isLittleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

function ipv4Bytes(hex: string): number[] {
  const bytes = [...Buffer.from(hex, 'hex')];
  return isLittleEndian ? bytes.reverse() : bytes;
}

function ipv4Address(hex: string): string {
  return ipv4Bytes(hex).join('.');
}

/** null: not a prefix, which the kernel cannot make. */
function prefixLength(maskHex: string): number | null {
  const bits = ipv4Bytes(maskHex)
    .map(byte => byte.toString(2).padStart(8, '0'))
    .join('');
  const ones = bits.lastIndexOf('1') + 1;
  return bits.indexOf('0') === -1 || bits.indexOf('0') === ones ? ones : null;
}

/** In the form of RFC 5952: no leading zeros, the longest run of zero groups as `::`. */
export function ipv6Address(hex: string): string {
  const groups = (hex.toLowerCase().match(/.{4}/g) ?? []).map(group =>
    Number.parseInt(group, 16).toString(16),
  );
  let best = { from: 0, length: 1 };
  for (let from = 0; from < groups.length; from++) {
    let length = 0;
    while (groups[from + length] === '0') length++;
    if (length > best.length) best = { from, length };
  }
  if (best.length < 2) return groups.join(':');
  return `${groups.slice(0, best.from).join(':')}::${groups.slice(best.from + best.length).join(':')}`;
}
