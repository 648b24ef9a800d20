/**
 * TLS for the control plane's gRPC ports: TLS 1.3 only, no session tickets, and certificates that change while it runs.
 * grpc-js has this only as `experimental.createCertificateProviderServerCredentials`, which admits TLS 1.2 and takes
 * its two providers in the other order than its types say; this is the same on the class that it builds on.
 */

import { constants } from "node:crypto";
import type { SecureContextOptions } from "node:tls";
import { ServerCredentials } from "@grpc/grpc-js";

export interface ServerCertificate {
  readonly certificateChainPem: string;
  readonly privateKeyPem: string;
  /** The roots that clients' certificates must lead to. */
  readonly trustBundlePem: string;
}

export class RotatingServerCredentials extends ServerCredentials {
  /** `clients` says whether they must have a certificate; a client that needs none is not asked for one. */
  constructor(clients: "certificate-required" | "anonymous", certificate: ServerCertificate) {
    const required = clients === "certificate-required";
    super({ requestCert: required, rejectUnauthorized: required }, contextOptions(certificate));
  }

  /** For connections from now on; those that are open stay. */
  rotate(certificate: ServerCertificate): void {
    this.updateSecureContextOptions(contextOptions(certificate));
  }

  override _equals(other: ServerCredentials): boolean {
    return this === other;
  }
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
