/** Who is at the other end of a stream, from its client certificate alone, and until when. */

import { X509Certificate } from "node:crypto";
import { readPeerIdentity } from "../../model/peer-identity.ts";
import { err, ok, type Result } from "../../model/result.ts";
import { parseSpiffeId } from "../../model/spiffe.ts";

export interface Caller {
  /** A SPIFFE id in this trust domain. */
  readonly identity: string;
  readonly certificateDer: Buffer;
  /** When its certificate expires, in ms since 1970. */
  readonly notAfterMs: number;
}

const longestTimerMs = 24 * 60 * 60 * 1000;

/** The error is one line, without the certificate's names. */
export function identifyCaller(certificateDer: Buffer | undefined, trustDomain: string): Result<Caller, string> {
  if (certificateDer === undefined) return err("no client certificate");
  const identity = readPeerIdentity(certificateDer);
  if (!identity.ok) return identity;
  const id = parseSpiffeId(identity.value);
  if (!id.ok || id.value.trustDomain !== trustDomain) return err("of another trust domain");
  return ok({
    identity: identity.value,
    certificateDer,
    notAfterMs: Date.parse(new X509Certificate(certificateDer).validTo),
  });
}

/** Calls `end` once the certificate has expired: a stream must not outlive its proof. Returns a function that cancels this. */
export function endAtExpiry(
  { notAfterMs }: Pick<Caller, "notAfterMs">,
  wallClock: () => number,
  end: () => void,
): () => void {
  let timer: NodeJS.Timeout | undefined;
  const check = (): void => {
    const leftMs = notAfterMs - wallClock();
    if (leftMs <= 0) end();
    else timer = setTimeout(check, Math.min(leftMs, longestTimerMs)).unref();
  };
  check();
  return () => clearTimeout(timer);
}
