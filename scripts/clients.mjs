/**
 * The clients that configure networks, for the tests that play them (test/clients): Debian's packages, unpacked into a cache folder. None is
 * installed: NetworkManager or a DHCP server would be started at the machine's next boot.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { argv } from 'node:process';
import { fileURLToPath } from 'node:url';
import { cacheFolder, provideIn } from './cache.mjs';
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
  const folder = cacheFolder(process.env.SOCKMON_CLIENTS_CACHE, 'clients');
  await provideIn(folder, fingerprint(), async partial => {
    if (which('apt-get') === null || which('dpkg-deb') === null) {
      throw new Failure(
        `The clients of networks come out of Debian's packages, and this machine has no apt-get. Run this suite on Debian, or put them into ${folder}.`,
      );
    }
    await download(partial);
    await unpack(partial);
  });
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
