/** What OpenSSL and Node say about TLS, in words for a person with a next step. */

/** By the code of Node's verification (tls, "X509 certificate error codes"), of OpenSSL's alerts (RFC 8446, 6) and of what it reads. */
const words: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: "the broker's certificate has expired: renew it, or set this machine's clock",
  CERT_NOT_YET_VALID: "the broker's certificate is not valid yet: set this machine's clock",
  DEPTH_ZERO_SELF_SIGNED_CERT: "the broker's certificate is self-signed: name it in mqtt.tls.ca_file",
  SELF_SIGNED_CERT_IN_CHAIN:
    "the broker's certificate comes from an authority of its own (self-signed): name that in mqtt.tls.ca_file",
  UNABLE_TO_GET_ISSUER_CERT:
    "unable to verify the broker's certificate: mqtt.tls.ca_file lacks the authority that signed it",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    "unable to verify the broker's certificate: name the authority that signed it in mqtt.tls.ca_file",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    "unable to verify the broker's certificate: name the authority that signed it in mqtt.tls.ca_file, or let the broker send its chain",
  CERT_SIGNATURE_FAILURE: "the broker's certificate was not signed by the authority in mqtt.tls.ca_file",
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED:
    'the broker asks for a client certificate: give mqtt.tls.cert_file and key_file',
  ERR_SSL_TLSV1_ALERT_UNKNOWN_CA: 'the broker does not know the authority that signed our client certificate',
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED: 'our client certificate has expired: renew mqtt.tls.cert_file',
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_REVOKED: 'our client certificate was revoked: renew mqtt.tls.cert_file',
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
    'the broker does not accept our client certificate; its log says why',
  ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE: 'the broker does not accept our client certificate; its log says why',
  ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE:
    'the broker refuses the TLS handshake: it may ask for a client certificate (mqtt.tls.cert_file), or for other ciphers; its log says why',
  ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION: 'the broker speaks no version of TLS that we speak (1.2 and 1.3)',
  ERR_SSL_UNSUPPORTED_PROTOCOL: 'the broker speaks no version of TLS that we speak (1.2 and 1.3)',
  ERR_SSL_TLSV1_UNRECOGNIZED_NAME:
    'the broker has no certificate for this name: check the host in mqtt.url, or mqtt.tls.servername',
  ERR_OSSL_X509_KEY_VALUES_MISMATCH:
    'mqtt.tls.cert_file and key_file do not belong together; one of them may be in the middle of being renewed',
  ERR_OSSL_PEM_NO_START_LINE: 'a file of mqtt.tls is no PEM file (-----BEGIN …)',
  ERR_OSSL_PEM_BAD_END_LINE: 'a file of mqtt.tls is a PEM file that ends too soon',
  ERR_OSSL_UNSUPPORTED: 'mqtt.tls.key_file is of a kind that is not understood; give an unencrypted PEM key',
  ERR_OSSL_CRYPTO_INTERRUPTED_OR_CANCELLED: 'mqtt.tls.key_file is encrypted; give an unencrypted PEM key',
};

/** Whether the other end answers a TLS handshake with something that is no TLS. Node gives these one code, EPROTO, or one of OpenSSL's. */
export function speaksNoTls({ message }: Error): boolean {
  return /wrong.version.number|packet.length.too.long|http.request|unexpected.message/i.test(message);
}

/** null: it is no matter of TLS. */
export function tlsWords(error: Error): string | null {
  const code = 'code' in error ? String(error.code) : '';
  const known = words[code];
  if (known !== undefined) return known;
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') return altNameWords(error);
  // error:0A000438:SSL routines::tlsv1 alert internal error, with files, lines and threads around it.
  const reason = /error:[0-9A-F]+:[^:]*:[^:]*:([^:\n]+)/i.exec(error.message)?.[1]?.trim();
  if (reason !== undefined) return `TLS fails: ${reason}`;
  return code.startsWith('ERR_SSL_') || code.startsWith('ERR_OSSL_') ? `TLS fails: ${code}` : null;
}

function altNameWords(error: Error): string {
  const { host, cert } = error as { host?: string; cert?: { subjectaltname?: string } };
  const names = cert?.subjectaltname?.slice(0, 200) ?? 'no name';
  return `the broker's certificate is not for ${host ?? 'this host'} (its altnames: ${names}): write one of these into mqtt.url, or into mqtt.tls.servername`;
}
