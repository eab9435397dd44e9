/**
 * The clients that configure networks, for the tests that play them (test/clients): Debian's packages, unpacked into a cache folder. None is
 * installed: NetworkManager or a DHCP server would be started at the machine's next boot.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { argv } from 'node:process';
import { fileURLToPath } from 'node:url';
import { Failure, main, step, which } from './run.mjs';

const packages = [
  'isc-dhcp-client',
  'udhcpc',
  'dhcpcd-base',
  'network-manager',
  'radvd',
  'openvpn',
  'wireguard-go',
  // What they need around them: somebody who gives addresses, and a message bus.
  'isc-dhcp-server',
  'dbus-daemon',
];
/** To be counted up when the way of unpacking changes: what is in the cache is made anew then. */
const layout = 1;

/** Fast when they are there already. Gives the folder that holds their `usr` and `etc`. */
export async function provideClients() {
  const { SOCKMON_CLIENTS_CACHE: chosen, XDG_CACHE_HOME: cache } = process.env;
  const folder = chosen || join(cache || join(homedir(), '.cache'), 'sockmon', 'clients');
  const stamp = fingerprint();
  const stampFile = join(folder, '.stamp');
  if (existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp) return folder;
  if (which('apt-get') === null || which('dpkg-deb') === null) {
    throw new Failure(
      `The clients of networks come out of Debian's packages, and this machine has no apt-get. Run this suite on Debian, or put them into ${folder}.`,
    );
  }
  const partial = `${folder}.partial`;
  rmSync(partial, { recursive: true, force: true });
  try {
    await download(partial);
    await unpack(partial);
  } catch (error) {
    rmSync(partial, { recursive: true, force: true });
    throw error;
  }
  writeFileSync(join(partial, '.stamp'), stamp);
  rmSync(folder, { recursive: true, force: true });
  renameSync(partial, folder);
  return folder;
}

/** Another release has other libraries. */
function fingerprint() {
  const release = existsSync('/etc/os-release') ? readFileSync('/etc/os-release') : '';
  const recipe = `${layout} ${process.arch} ${packages.join(' ')}`;
  return createHash('sha256').update(recipe).update(release).digest('hex');
}

/** With what they depend on and this machine does not have. */
async function download(folder) {
  const archives = join(folder, 'archives');
  mkdirSync(join(archives, 'partial'), { recursive: true });
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  await step('updating the package lists', 'apt-get', ['update', '-q'], env);
  const options = [
    ...['install', '-y', '-q', '--download-only', '--reinstall', '--no-install-recommends'],
    ...['-o', `Dir::Cache::archives=${archives}`, '-o', 'APT::Sandbox::User=root'],
    ...['-o', 'DPkg::Lock::Timeout=300'],
  ];
  await step('fetching the clients of networks', 'apt-get', [...options, ...packages], env);
}

async function unpack(folder) {
  const archives = join(folder, 'archives');
  const files = readdirSync(archives).filter(name => name.endsWith('.deb'));
  for (const name of files)
    await step(`unpacking ${name}`, 'dpkg-deb', ['--extract', join(archives, name), folder]);
  // Older packages still name /sbin what is a link to /usr/sbin on the machine.
  const merge =
    'cd "$0"; for part in bin sbin lib lib64; do test ! -d $part || { mkdir -p usr/$part; cp -a $part/. usr/$part; rm -r $part; }; done';
  await step('putting the clients into one tree', 'sh', ['-ec', merge, folder]);
  rmSync(archives, { recursive: true });
}

if (fileURLToPath(import.meta.url) === argv[1]) await main(async () => console.log(await provideClients()));
