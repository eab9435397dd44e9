/** Certificates for tests, by openssl(1): an authority `ca`, and whom it signs. */
import { execFileSync } from 'node:child_process';

const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

/** Files NAME.pem and NAME.key in the folder. @param names Each with its subjectAltName, as `DNS:localhost`, or null for a client. */
export function makeCertificates(folder: string, names: Readonly<Record<string, string | null>>): void {
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
  openssl(
    ...['req', '-x509', ...newKey, '-days', '2', '-subj', '/CN=test ca'],
    ...['-keyout', 'ca.key', '-out', 'ca.pem'],
  );
  for (const [name, altName] of Object.entries(names)) {
    const extra = altName === null ? [] : ['-addext', `subjectAltName=${altName}`];
    openssl(
      ...['req', ...newKey, '-subj', `/CN=${name}`, ...extra, '-keyout', `${name}.key`],
      ...['-out', `${name}.csr`],
    );
    openssl(
      ...['x509', '-req', '-in', `${name}.csr`, '-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial'],
      ...['-copy_extensions', 'copy', '-days', '2', '-out', `${name}.pem`],
    );
  }
}

/** Lines of mosquitto.conf(5) for a listener that wants a client certificate. */
export function clientCertificateLines(folder: string): string[] {
  return [
    'allow_anonymous true',
    `cafile ${folder}/ca.pem`,
    `certfile ${folder}/server.pem`,
    `keyfile ${folder}/server.key`,
    'require_certificate true',
  ];
}
