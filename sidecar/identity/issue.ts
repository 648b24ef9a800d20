/**
 * Asks the control plane for one certificate. The server must prove to be the control plane before it sees the token:
 * a TLS 1.3 certificate of the mesh's own roots, with its exact SPIFFE id. Its host name doesn't matter.
 */

import { createSecureContext } from "node:tls";
import { ChannelCredentials } from "@grpc/grpc-js";
import { readPeerIdentity } from "../../model/peer-identity.ts";
import type { IssueResponse__Output } from "../../proto/generated/tulle/v1/IssueResponse.ts";
import { Identity } from "../../proto/load.ts";

const timeoutMs = 10_000;

/** For all channels to the control plane. The name is for TLS's server name, which must not be an IP address. */
export const controlPlaneChannel = {
  "grpc.ssl_target_name_override": "tulle-control-plane.tulle-system.svc",
  "grpc.enable_retries": 0,
  "grpc.enable_http_proxy": 0,
} as const;

/** Rejects with grpc-js's `ServiceError`, whose message is plain and free of secrets. */
export function issueCertificate(options: {
  /** `host:port` */
  readonly address: string;
  readonly controlPlaneIdentity: string;
  readonly trustBundlePem: string;
  readonly requestDer: Buffer;
  readonly token: string;
  readonly signal: AbortSignal;
}): Promise<IssueResponse__Output> {
  const { address, controlPlaneIdentity, trustBundlePem, requestDer, token, signal } = options;
  const context = createSecureContext({ ca: trustBundlePem, minVersion: "TLSv1.3" });
  const channel = ChannelCredentials.createFromSecureContext(context, {
    checkServerIdentity: (_host, { raw }) => wrongServer(raw, controlPlaneIdentity),
  });
  const client = new Identity(address, channel, controlPlaneChannel);
  return new Promise<IssueResponse__Output>((resolve, reject) => {
    signal.throwIfAborted();
    const deadline = Date.now() + timeoutMs;
    const call = client.Issue({ csrDer: requestDer, token }, { deadline }, (error, response) => {
      signal.removeEventListener("abort", cancel);
      if (error === null && response !== undefined) resolve(response);
      else reject(error ?? new Error("no answer"));
    });
    const cancel = (): void => call.cancel();
    signal.addEventListener("abort", cancel, { once: true });
  }).finally(() => client.close());
}

/** For grpc-js's `checkServerIdentity`: undefined where the certificate is that of `expected`. */
export function wrongServer(certificateDer: Buffer, expected: string): Error | undefined {
  const identity = readPeerIdentity(certificateDer);
  if (!identity.ok) return new Error(`the server is not ${expected}: ${identity.error}`);
  return identity.value === expected ? undefined : new Error(`the server is ${identity.value}, not ${expected}`);
}
