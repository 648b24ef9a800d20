/** A workload's side of identity: the token that its pod would have, and the control plane's answer to it. */

import { createPrivateKey, generateKeyPairSync, sign } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { ClusterApi } from "../../../control-plane/kubernetes/cluster-api.ts";
import type { IssueResponse__Output } from "../../../proto/generated/tulle/v1/IssueResponse.ts";
import { buildCertificateRequest } from "../../../sidecar/identity/certificate-request.ts";
import { issueCertificate } from "../../../sidecar/identity/issue.ts";
import { TimerWheel } from "../../../sidecar/net/timer-wheel.ts";
import { expectDone, nested, type TestNamespace } from "./objects.ts";

export interface TokenClaims {
  readonly namespace: TestNamespace;
  readonly serviceAccount: string;
  /** It is bound to this pod; absent: to none. */
  readonly pod?: string;
  readonly audience?: string;
}

/** As kubelet projects it. */
export async function requestToken(api: ClusterApi, claims: TokenClaims): Promise<string> {
  const { namespace, serviceAccount, pod, audience = "tulle" } = claims;
  const found = pod === undefined ? undefined : expectDone(await namespace.read("v1", `pods/${pod}`)).body;
  const boundObjectRef = { apiVersion: "v1", kind: "Pod", name: pod, uid: nested(found, "metadata", "uid") };
  const answer = await api.request({
    method: "POST",
    path: `/api/v1/namespaces/${namespace.name}/serviceaccounts/${serviceAccount}/token`,
    body: {
      apiVersion: "authentication.k8s.io/v1",
      kind: "TokenRequest",
      spec: { audiences: [audience], expirationSeconds: 600, ...(pod !== undefined && { boundObjectRef }) },
    },
  });
  return String(nested(expectDone(answer).body, "status", "token"));
}

/** The same token with other claims, signed by the cluster's own key. */
export async function resign(
  token: string,
  keyFile: string,
  claims: Readonly<Record<string, unknown>>,
): Promise<string> {
  const [head = "", body = ""] = token.split(".");
  const now: unknown = JSON.parse(Buffer.from(body, "base64url").toString("utf8"));
  const changed = Buffer.from(JSON.stringify({ ...(now as object), ...claims })).toString("base64url");
  const key = createPrivateKey(await readFile(keyFile));
  return `${head}.${changed}.${sign("sha256", Buffer.from(`${head}.${changed}`), key).toString("base64url")}`;
}

export interface Asking {
  /** Default 127.0.0.1. */
  readonly host?: string;
  readonly identityPort: number;
  readonly trustBundlePem: string;
  readonly token: string;
  readonly requestDer?: Buffer;
}

/** Rejects with what the control plane answers. */
export function askForCertificate({
  host = "127.0.0.1",
  identityPort,
  trustBundlePem,
  token,
  requestDer,
}: Asking): Promise<IssueResponse__Output> {
  return issueCertificate({
    address: `${host}:${identityPort}`,
    controlPlaneIdentity: "spiffe://cluster.local/ns/tulle-system/sa/tulle-control-plane",
    trustBundlePem,
    requestDer: requestDer ?? buildCertificateRequest(generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey),
    token,
    clock: performance,
    wheel: new TimerWheel(performance),
    signal: AbortSignal.timeout(20_000),
  });
}
