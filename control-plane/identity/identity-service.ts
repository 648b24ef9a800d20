/**
 * `tulle.v1.Identity`: a token and a certificate request in, a certificate out. It logs each certificate and each refusal, but
 * repeated refusals for want of capacity once. It keeps no state: anyone with a valid token may ask again, as a restarted sidecar
 * does.
 */

import { isIP } from "node:net";
import { status } from "@grpc/grpc-js";
import { canonicalIp } from "../../model/ip-address.ts";
import { err, ok, type Result } from "../../model/result.ts";
import { formatSpiffeId, parseSpiffeId } from "../../model/spiffe.ts";
import type { IssueRequest__Output } from "../../proto/generated/tulle/v1/IssueRequest.ts";
import type { IssueResponse } from "../../proto/generated/tulle/v1/IssueResponse.ts";
import { framed } from "../../proto/message-reader.ts";
import { decodeMessage, encodeMessage } from "../../proto/wire.ts";
import { type Log, reasonOf } from "../../system/log.ts";
import type { ServerCall } from "../grpc/server-call.ts";
import type { CertificateAuthority } from "./authority.ts";
import type { RequestFault } from "./certificate-request.ts";
import type { Applicant, ReviewQueue, ReviewRefusal } from "./review-queue.ts";
import type { TokenFault, TokenOwner, TokenReviewer } from "./tokens.ts";

export const issueMethod = "/tulle.v1.Identity/Issue";
/** The maximum size of a request: the longest token and a certificate request. */
export const maxRequestBytes = 64 * 1024;
const defaultRequestMs = 10_000;

/** Why no certificate was issued; a label of the refusal metric. */
export type IssueFault =
  | RequestFault
  | TokenFault
  | "token_identity"
  | "caller_address"
  | "caller_rate"
  | "review_busy"
  | "review_failed";

const answers: Readonly<Record<IssueFault, { readonly code: status; readonly says: string }>> = {
  csr_malformed: { code: status.INVALID_ARGUMENT, says: "the certificate request is not PKCS#10 in DER" },
  csr_key: { code: status.INVALID_ARGUMENT, says: "the key of the certificate request is not P-256" },
  csr_signature: { code: status.INVALID_ARGUMENT, says: "the certificate request is not signed by its own key" },
  csr_names: {
    code: status.INVALID_ARGUMENT,
    says: "the certificate request names something; names come from the token",
  },
  token_unknown: { code: status.UNAUTHENTICATED, says: "the token is not known" },
  token_expired: { code: status.UNAUTHENTICATED, says: "the token has expired" },
  token_pod: { code: status.UNAUTHENTICATED, says: "the token's pod is gone, or another has its name" },
  token_audience: { code: status.UNAUTHENTICATED, says: "the token is for another audience" },
  token_identity: {
    code: status.UNAUTHENTICATED,
    says: "the token's namespace or service account can't be an identity",
  },
  caller_address: { code: status.PERMISSION_DENIED, says: "the token's pod is known under another address" },
  caller_rate: { code: status.RESOURCE_EXHAUSTED, says: "too many certificates are asked for from this address" },
  review_busy: { code: status.UNAVAILABLE, says: "too many tokens wait for their review: ask again" },
  review_failed: { code: status.UNAVAILABLE, says: "the token can't be reviewed now" },
};
/** Faults that are not the caller's. */
const ownFaults: ReadonlySet<IssueFault> = new Set(["review_busy", "review_failed"]);
const faultOf: Readonly<Record<ReviewRefusal["why"], IssueFault>> = { too_often: "caller_rate", busy: "review_busy" };

export interface IdentityServiceOptions {
  readonly authority: CertificateAuthority;
  readonly tokens: TokenReviewer;
  readonly reviews: ReviewQueue;
  readonly trustDomain: string;
  /** Refuse a token if its pod is known under an address other than the caller's. Off behind source NAT. */
  readonly checkCallerAddress: boolean;
  readonly wallClock: () => number;
  /** How long to wait for the request. Default 10 s. */
  readonly requestWithinMs?: number;
  readonly log: Log;
  /** Called once for each request. */
  readonly count: (outcome: "issued" | IssueFault) => void;
}

/** Answers calls of `issueMethod`. */
export function identityService(options: IdentityServiceOptions): (call: ServerCall) => void {
  const { requestWithinMs = defaultRequestMs, log } = options;
  return (call) => {
    const caller = plainAddress(call.callerAddress);
    const late = setTimeout(() => {
      call.refuse("late", status.DEADLINE_EXCEEDED, `no request within ${requestWithinMs} ms`);
    }, requestWithinMs).unref();
    let request: Buffer | undefined;
    call.listen({
      message: (bytes) => {
        if (request !== undefined) call.refuse("malformed", status.INVALID_ARGUMENT, "more than one request");
        request = bytes;
      },
      halfClosed: () => {
        clearTimeout(late);
        const asked = request && readRequest(request);
        if (asked === undefined) return call.refuse("malformed", status.INVALID_ARGUMENT, "not a request");
        answer(options, call, asked, caller).catch((error: unknown) => {
          log("error", "certificate request failed", { reason: reasonOf(error) });
          call.end(status.INTERNAL, "internal error");
        });
      },
      closed: () => clearTimeout(late),
    });
  };
}

function readRequest(bytes: Buffer): IssueRequest__Output | undefined {
  try {
    return decodeMessage("IssueRequest", bytes) as IssueRequest__Output;
  } catch {
    return undefined; // not valid protobuf
  }
}

async function answer(
  options: IdentityServiceOptions,
  call: ServerCall,
  request: IssueRequest__Output,
  caller: string,
): Promise<void> {
  const issued = await issue(options, request, { address: caller, isThere: () => call.isOpen });
  if (issued.ok) {
    call.write(framed(encodeMessage("IssueResponse", issued.value)));
    return call.end(status.OK);
  }
  const { code, says } = answers[issued.error];
  if (ownFaults.has(issued.error)) call.end(code, says);
  else call.refuse("certificate", code, says);
}

async function issue(
  options: IdentityServiceOptions,
  request: IssueRequest__Output,
  applicant: Applicant,
): Promise<Result<IssueResponse, IssueFault>> {
  const { authority, log, count, wallClock } = options;
  const { address: caller } = applicant;
  const reviewed = await options.reviews.take(applicant, () => reviewToken(options, request.token, caller));
  if (!reviewed.ok) {
    const reason = faultOf[reviewed.error.why];
    count(reason);
    // A caller that floods this port must not also flood the log.
    if (reviewed.error.isNews) log("warn", "certificate refused", { reason, caller });
    return err(reason);
  }
  const owner = reviewed.value;
  if (!owner.ok) {
    count(owner.error);
    log("warn", "certificate refused", { reason: owner.error, caller });
    return owner;
  }
  const { pod, identity } = owner.value;
  const issued = authority.issue(request.csrDer, identity);
  if (!issued.ok) {
    count(issued.error);
    log("warn", "certificate refused", { reason: issued.error, caller, identity, pod });
    return issued;
  }
  const { certificateDer, issuerChainDer, serial, notAfterMs } = issued.value;
  count("issued");
  log("info", "certificate issued", { identity, serial, pod, caller, notAfter: new Date(notAfterMs).toISOString() });
  return ok({
    certificateChainDer: [certificateDer, ...issuerChainDer],
    trustBundleDer: [...authority.trustBundleDer],
    lifetimeMs: notAfterMs - wallClock(),
  });
}

async function reviewToken(
  options: IdentityServiceOptions,
  token: string,
  caller: string,
): Promise<Result<TokenOwner & { readonly identity: string }, IssueFault>> {
  let owner: Result<TokenOwner, TokenFault>;
  try {
    owner = await options.tokens.review(token);
  } catch (error) {
    options.log("error", "token review failed", { reason: reasonOf(error) });
    return err("review_failed");
  }
  if (!owner.ok) return owner;
  const { namespace, serviceAccount, podIps } = owner.value;
  const identity = formatSpiffeId({ trustDomain: options.trustDomain, namespace, serviceAccount });
  if (!parseSpiffeId(identity).ok) return err("token_identity");
  if (options.checkCallerAddress && podIps.length > 0 && !podIps.some((ip) => plainAddress(ip) === caller))
    return err("caller_address");
  return ok({ ...owner.value, identity });
}

/** Brings an address into its one form; an IPv4 caller of an IPv6 socket is `::ffff:10.0.0.1` (RFC 4291 §2.5.5.2). */
function plainAddress(text: string): string {
  const ip = canonicalIp(text) ?? text;
  const mapped = /^::ffff:([0-9.]+)$/.exec(ip)?.[1];
  return mapped !== undefined && isIP(mapped) === 4 ? mapped : ip;
}
