/**
 * The mesh's signer as a Secret of the mesh's namespace, in the layout that cert-manager writes: `tls.key`, `tls.crt` and
 * `ca.crt`. Without one, the first control plane that starts makes it; one that is there is used as it is and never replaced.
 * A change of it is taken over at once. What is in it is never logged.
 */

import { type Log, reasonOf } from "../../system/log.ts";
import { meshNamespace } from "../index/facts.ts";
import { type ClusterApi, describeAnswer } from "../kubernetes/cluster-api.ts";
import { isRecord } from "../source/kube-object.ts";
import { Reflector, type ReflectorTiming } from "../source/kubernetes/reflector.ts";
import type { WatchedKind } from "../source/kubernetes/watched-kinds.ts";
import { type Issuer, type IssuerPems, makeRoot, readIssuer } from "./issuer.ts";

export const caSecretName = "tulle-ca";

const collection = `/api/v1/namespaces/${meshNamespace}/secrets`;
const place = `Secret ${meshNamespace}/${caSecretName}`;
const secrets: WatchedKind = { group: "", versions: ["v1"], kind: "Secret", plural: "secrets", empty: "unlikely" };

/** Loads the signer, or makes it. Throws in plain words where there is none to be had, or none that can sign. */
export async function openCaSecret(api: ClusterApi, trustDomain: string, nowMs: number): Promise<Issuer> {
  const kept = await read(api);
  if (kept !== undefined) return kept;
  const made = await api.request({ method: "POST", path: collection, body: secretOf(makeRoot(trustDomain, nowMs)) });
  // Of several that start at once, the one that comes first makes it for all.
  if (made.status !== 201 && made.status !== 409) throw new Error(`${place} can't be created: ${describeAnswer(made)}`);
  const now = await read(api);
  if (now === undefined) throw new Error(`${place} vanished while it was created`);
  return now;
}

async function read(api: ClusterApi): Promise<Issuer | undefined> {
  const answer = await api.request({ path: `${collection}/${caSecretName}` });
  if (answer.status === 404) return undefined;
  if (answer.status !== 200) throw new Error(`${place} can't be read: ${describeAnswer(answer)}`);
  return readIssuer(pemsOf(answer.body), place);
}

export interface CaWatchOptions {
  readonly api: ClusterApi;
  readonly onIssuer: (issuer: Issuer) => void;
  readonly log: Log;
  readonly signal: AbortSignal;
  readonly timing?: Partial<ReflectorTiming>;
}

/** Calls with each new state of the Secret until `signal`. While it is gone or can't sign, the former signer stays. */
export function watchCaSecret({ api, onIssuer, log, signal, timing = {} }: CaWatchOptions): void {
  const take = (object: unknown): void => {
    try {
      onIssuer(readIssuer(pemsOf(object), place));
    } catch (error) {
      log("error", "signer not taken over, the former one stays", { reason: reasonOf(error) });
    }
  };
  const reflector = new Reflector({
    api,
    kind: secrets,
    scope: { namespace: meshNamespace, name: caSecretName },
    signal,
    random: Math.random,
    timing,
    onList: ([object]) => {
      if (object === undefined) log("error", "signer's Secret is gone, what was in it stays in use", { secret: place });
      else take(object);
    },
    onChange: take,
    onDelete: () => log("error", "signer's Secret is gone, what was in it stays in use", { secret: place }),
    onTrouble: (reason) => {
      if (reason !== undefined) log("warn", "signer's Secret can't be followed", { reason });
    },
  });
  void reflector.run();
}

function secretOf({ keyPem, certificatesPem }: IssuerPems): object {
  return {
    apiVersion: "v1",
    kind: "Secret",
    type: "kubernetes.io/tls",
    metadata: {
      name: caSecretName,
      namespace: meshNamespace,
      labels: { "app.kubernetes.io/part-of": "tulle" },
    },
    stringData: { "tls.key": keyPem, "tls.crt": certificatesPem, "ca.crt": certificatesPem },
  };
}

/** cert-manager leaves `ca.crt` empty for some issuers: then the certificate must be a root. */
function pemsOf(object: unknown): IssuerPems {
  const contents = isRecord(object) && isRecord(object["data"]) ? object["data"] : {};
  const text = (key: string): string => {
    const value = contents[key];
    return typeof value === "string" ? Buffer.from(value, "base64").toString("utf8") : "";
  };
  const trustedPem = text("ca.crt");
  return {
    keyPem: text("tls.key"),
    certificatesPem: text("tls.crt"),
    ...(trustedPem.trim() === "" ? {} : { trustedPem }),
  };
}
