/**
 * TLS for the control plane's gRPC ports: TLS 1.3 only, and no session tickets: a resumed session does not present a certificate
 * again.
 */

import { constants } from "node:crypto";
import type { SecureContextOptions } from "node:tls";

export interface ServerCertificate {
  readonly certificateChainPem: string;
  readonly privateKeyPem: string;
  /** The roots that clients' certificates must lead to. */
  readonly trustBundlePem: string;
}

export function contextOptions({
  certificateChainPem,
  privateKeyPem,
  trustBundlePem,
}: ServerCertificate): SecureContextOptions {
  return {
    cert: certificateChainPem,
    key: privateKeyPem,
    ca: trustBundlePem,
    minVersion: "TLSv1.3",
    secureOptions: constants.SSL_OP_NO_TICKET,
  };
}
