/**
 * Finds the owner of a token: the API server tells (TokenReview), and also whether the pod still exists, since a projected token
 * is bound to one (https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/#bound-service-account-tokens).
 */

import { err, ok, type Result } from "../../model/result.ts";
import { type ClusterApi, describeAnswer } from "../kubernetes/cluster-api.ts";
import { isRecord } from "../source/kube-object.ts";
import { maxTokenCharacters, type TokenFault, type TokenOwner, type TokenReviewer, tokenAudience } from "./tokens.ts";

const reviewPath = "/apis/authentication.k8s.io/v1/tokenreviews";
/** A sidecar that gets no answer tries again. */
const timeoutMs = 5_000;
const podNameKey = "authentication.kubernetes.io/pod-name";
const podUidKey = "authentication.kubernetes.io/pod-uid";
const accountName = /^system:serviceaccount:([a-z0-9-]+):([a-z0-9.-]+)$/;

export class ClusterTokens implements TokenReviewer {
  readonly #api: ClusterApi;
  readonly #wallClock: () => number;

  constructor(api: ClusterApi, wallClock: () => number) {
    this.#api = api;
    this.#wallClock = wallClock;
  }

  async review(token: string): Promise<Result<TokenOwner, TokenFault>> {
    if (token === "" || token.length > maxTokenCharacters) return err("token_unknown");
    const body = {
      apiVersion: "authentication.k8s.io/v1",
      kind: "TokenReview",
      spec: { token, audiences: [tokenAudience] },
    };
    const answer = await this.#api.request({ method: "POST", path: reviewPath, body, timeoutMs });
    if (answer.status !== 201) throw new Error(`no token can be reviewed: ${describeAnswer(answer)}`);
    const status = recordIn(answer.body, "status");
    const { audiences } = status;
    if (status["authenticated"] !== true || !Array.isArray(audiences) || !audiences.includes(tokenAudience))
      return err(this.#faultOf(token));
    const user = recordIn(status, "user");
    const [, namespace, serviceAccount] = accountName.exec(String(user["username"])) ?? [];
    if (namespace === undefined || serviceAccount === undefined) return err("token_unknown");
    const extra = recordIn(user, "extra");
    const pod = firstOf(extra[podNameKey]);
    const uid = firstOf(extra[podUidKey]);
    // The token belongs to no pod: it was made by hand, or is of the old kind that never expires.
    if (pod === undefined || uid === undefined) return err("token_pod");
    return this.#findPod({ namespace, serviceAccount, pod }, uid);
  }

  async #findPod(owner: Omit<TokenOwner, "podIps">, uid: string): Promise<Result<TokenOwner, TokenFault>> {
    const path = `/api/v1/namespaces/${owner.namespace}/pods/${encodeURIComponent(owner.pod)}`;
    const answer = await this.#api.request({ path, timeoutMs });
    if (answer.status === 404) return err("token_pod");
    if (answer.status !== 200) throw new Error(`the token's pod can't be read: ${describeAnswer(answer)}`);
    if (recordIn(answer.body, "metadata")["uid"] !== uid) return err("token_pod");
    return ok({ ...owner, podIps: addressesOf(recordIn(answer.body, "status")) });
  }

  /** The API server gives no reason for a refusal. The token's own claims tell its holder more, and grant nothing. */
  #faultOf(token: string): TokenFault {
    const { exp, aud } = readClaims(token);
    if (typeof exp === "number" && exp * 1_000 <= this.#wallClock()) return "token_expired";
    const audiences: readonly unknown[] = Array.isArray(aud) ? aud : [aud];
    return aud !== undefined && !audiences.includes(tokenAudience) ? "token_audience" : "token_unknown";
  }
}

/** One address of each family that the pod has: it may call from any. */
function addressesOf({ podIP, podIPs }: Readonly<Record<string, unknown>>): string[] {
  const all: readonly unknown[] = Array.isArray(podIPs) ? podIPs.map((entry) => recordOf(entry)["ip"]) : [];
  return [podIP, ...all].flatMap((ip) => (typeof ip === "string" && ip !== "" ? [ip] : []));
}

/** The unverified claims of a JSON Web Token; empty if it is not one. */
function readClaims(token: string): Readonly<Record<string, unknown>> {
  try {
    const claims: unknown = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString("utf8"));
    return isRecord(claims) ? claims : {};
  } catch {
    return {};
  }
}

function recordIn(value: unknown, key: string): Readonly<Record<string, unknown>> {
  return recordOf(recordOf(value)[key]);
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  return isRecord(value) ? value : {};
}

function firstOf(value: unknown): string | undefined {
  const first: unknown = Array.isArray(value) ? value[0] : undefined;
  return typeof first === "string" ? first : undefined;
}
