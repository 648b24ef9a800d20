/**
 * Asks the control plane for one certificate. Before the server sees the token it must prove to be the control plane, by a
 * TLS 1.3 certificate from the mesh's own roots with the control plane's exact SPIFFE id. Its host name doesn't matter.
 */

import { createSecureContext, type SecureContextOptions } from "node:tls";
import type { Clock } from "../../model/clock.ts";
import { readPeerIdentity } from "../../model/peer-identity.ts";
import type { IssueResponse__Output } from "../../proto/generated/tulle/v1/IssueResponse.ts";
import { decodeMessage, encodeMessage } from "../../proto/wire.ts";
import { GrpcCall, type GrpcCallOptions } from "../grpc/call.ts";
import type { TimerWheel } from "../net/timer-wheel.ts";

const timeoutMs = 10_000;
const maxMessageBytes = 4 * 1024 * 1024;

/** For calls to the control plane and to nobody else. The name is only used for `:authority`. */
export function controlPlaneServer(
  identity: string,
  context: SecureContextOptions,
): Pick<GrpcCallOptions, "serverName" | "secureContext" | "wrongServer"> {
  return {
    serverName: "tulle-control-plane.tulle-system.svc",
    secureContext: createSecureContext({ ...context, minVersion: "TLSv1.3" }),
    wrongServer: (certificateDer) => wrongServer(certificateDer, identity),
  };
}

/** Rejects with a `GrpcError`, whose message is plain and contains no secrets. */
export function issueCertificate(options: {
  /** `host:port` */
  readonly address: string;
  readonly controlPlaneIdentity: string;
  readonly trustBundlePem: string;
  readonly requestDer: Buffer;
  readonly token: string;
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  readonly signal: AbortSignal;
}): Promise<IssueResponse__Output> {
  const { address, controlPlaneIdentity, trustBundlePem, requestDer, token, clock, wheel, signal } = options;
  const server = controlPlaneServer(controlPlaneIdentity, { ca: trustBundlePem });
  const path = "/tulle.v1.Identity/Issue";
  const answered = new Promise<Buffer>((resolve, reject) => {
    signal.throwIfAborted();
    let response: Buffer | undefined;
    const call = new GrpcCall(
      { ...server, address, path, clock, wheel, maxMessageBytes, timeoutMs },
      {
        message: (message) => {
          response = message;
        },
        closed: (error) => {
          signal.removeEventListener("abort", cancel);
          if (error !== undefined) reject(error);
          else if (response === undefined) reject(new Error("no answer"));
          else resolve(response);
        },
      },
    );
    const cancel = (): void => {
      call.cancel();
      reject(new Error("given up", { cause: signal.reason }));
    };
    signal.addEventListener("abort", cancel, { once: true });
    call.send(encodeMessage("IssueRequest", { csrDer: requestDer, token }));
    call.end();
  });
  return answered.then((response) => decodeMessage("IssueResponse", response) as IssueResponse__Output);
}

function wrongServer(certificateDer: Buffer, expected: string): Error | undefined {
  const identity = readPeerIdentity(certificateDer);
  if (!identity.ok) return new Error(`the server is not ${expected}: ${identity.error}`);
  return identity.value === expected ? undefined : new Error(`the server is ${identity.value}, not ${expected}`);
}
