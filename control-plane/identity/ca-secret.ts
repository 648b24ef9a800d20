/**
 * The mesh's signer as a Secret in the mesh's namespace, in the layout that cert-manager writes: `tls.key`, `tls.crt` and
 * `ca.crt`. If there is none, the first control plane to start creates it; an existing one is used as it is, and is
 * written only during a rotation, conditional on the version that was read. A change takes effect at once. Its content is
 * never logged.
 *
 * While the root is replaced, it also holds `next.key` and `next.crt`, or `former.crt`: see `rotation.ts`.
 */

import { type Log, reasonOf } from "../../system/log.ts";
import { meshNamespace } from "../index/facts.ts";
import { type ApiAnswer, type ClusterApi, describeAnswer } from "../kubernetes/cluster-api.ts";
import { isRecord } from "../source/kube-object.ts";
import { Reflector, type ReflectorTiming } from "../source/kubernetes/reflector.ts";
import type { WatchedKind } from "../source/kubernetes/watched-kinds.ts";
import { makeRoot } from "./issuer.ts";
import type { SignerStore } from "./root-rotation.ts";
import { type KeptSigner, readSigner, type SignerPems } from "./rotation.ts";

export const caSecretName = "tulle-ca";
/** Anyone who may write the Secret may ask for a new root, by setting this to the id of the current one. */
export const rotateRootAnnotation = "tulle.dev/rotate-root";

const collection = `/api/v1/namespaces/${meshNamespace}/secrets`;
const path = `${collection}/${caSecretName}`;
const origin = `Secret ${meshNamespace}/${caSecretName}`;
const secrets: WatchedKind = { group: "", versions: ["v1"], kind: "Secret", plural: "secrets", empty: "unlikely" };

/** Loads the signer, or creates it. Throws a readable error if there is none and none can be made, or if it can't sign. */
export async function openCaSecret(api: ClusterApi, trustDomain: string, nowMs: number): Promise<KeptSigner> {
  const kept = await read(api);
  if (kept !== undefined) return keptIn(kept);
  const made = await api.request({ method: "POST", path: collection, body: secretOf(makeRoot(trustDomain, nowMs)) });
  // If several start at once, the first creates it for all.
  if (made.status !== 201 && made.status !== 409)
    throw new Error(`${origin} can't be created: ${describeAnswer(made)}`);
  const now = await read(api);
  if (now === undefined) throw new Error(`${origin} vanished while it was created`);
  return keptIn(now);
}

async function read(api: ClusterApi): Promise<Fields | undefined> {
  const answer = await api.request({ path });
  if (answer.status === 404) return undefined;
  if (answer.status !== 200) throw new Error(`${origin} can't be read: ${describeAnswer(answer)}`);
  return fieldsOf(answer.body);
}

/** Writes the steps of a rotation. */
export class CaSecretStore implements SignerStore {
  readonly #api: ClusterApi;

  constructor(api: ClusterApi) {
    this.#api = api;
  }

  async replace(over: KeptSigner, pems: SignerPems): Promise<boolean> {
    const now = await read(this.#api);
    if (now === undefined || versionOf(now) !== over.version) return false;
    const metadata = fieldsOf(now["metadata"]);
    const { [rotateRootAnnotation]: _asked, ...annotations } = fieldsOf(metadata["annotations"]);
    // Includes the resourceVersion that was read: the API server accepts the write only over that version.
    const body = { ...now, metadata: { ...metadata, annotations }, data: dataOf(pems, fieldsOf(now["data"])) };
    const answer: ApiAnswer = await this.#api.request({ method: "PUT", path, body });
    if (answer.status === 409) return false;
    if (answer.status !== 200) throw new Error(`${origin} can't be written: ${describeAnswer(answer)}`);
    return true;
  }
}

export interface CaWatchOptions {
  readonly api: ClusterApi;
  readonly onSigner: (kept: KeptSigner) => void;
  readonly log: Log;
  readonly signal: AbortSignal;
  readonly timing?: Partial<ReflectorTiming>;
}

/** Calls with each new state of the Secret until `signal`. While it is missing or can't sign, the previous signer stays. */
export function watchCaSecret({ api, onSigner, log, signal, timing = {} }: CaWatchOptions): void {
  const take = (object: unknown): void => {
    try {
      onSigner(keptIn(fieldsOf(object)));
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
      if (object === undefined)
        log("error", "signer's Secret is gone, what was in it stays in use", { secret: origin });
      else take(object);
    },
    onChange: take,
    onDelete: () => log("error", "signer's Secret is gone, what was in it stays in use", { secret: origin }),
    onTrouble: (reason) => {
      if (reason !== undefined) log("warn", "signer's Secret can't be followed", { reason });
    },
  });
  void reflector.run();
}

type Fields = Readonly<Record<string, unknown>>;

function secretOf(pems: SignerPems): object {
  return {
    apiVersion: "v1",
    kind: "Secret",
    type: "kubernetes.io/tls",
    metadata: {
      name: caSecretName,
      namespace: meshNamespace,
      labels: { "app.kubernetes.io/part-of": "tulle" },
    },
    data: dataOf({ ...pems, trustedPem: pems.certificatesPem }, {}),
  };
}

/** Keeps what others have put there. */
function dataOf({ keyPem, certificatesPem, trustedPem, next, formerPem }: SignerPems, now: Fields): Fields {
  const texts = {
    "tls.key": keyPem,
    "tls.crt": certificatesPem,
    "ca.crt": trustedPem,
    "next.key": next?.keyPem,
    "next.crt": next?.certificatesPem,
    "former.crt": formerPem,
  };
  const fields = new Map(Object.entries(now));
  for (const [key, text] of Object.entries(texts)) {
    if (text === undefined) fields.delete(key);
    else fields.set(key, Buffer.from(text).toString("base64"));
  }
  return Object.fromEntries(fields);
}

function keptIn(object: Fields): KeptSigner {
  const request = fieldsOf(fieldsOf(object["metadata"])["annotations"])[rotateRootAnnotation];
  const signer = readSigner(pemsOf(object), origin);
  return { ...signer, version: versionOf(object), ...(typeof request === "string" && { request }) };
}

/** cert-manager leaves `ca.crt` empty for some issuers: then the certificate must be a root. */
function pemsOf(object: Fields): SignerPems {
  const contents = fieldsOf(object["data"]);
  const text = (key: string): string => {
    const value = contents[key];
    return typeof value === "string" ? Buffer.from(value, "base64").toString("utf8").trim() : "";
  };
  const [trustedPem, nextPem, formerPem] = [text("ca.crt"), text("next.crt"), text("former.crt")];
  return {
    keyPem: text("tls.key"),
    certificatesPem: text("tls.crt"),
    ...(trustedPem !== "" && { trustedPem }),
    ...(nextPem !== "" && { next: { keyPem: text("next.key"), certificatesPem: nextPem } }),
    ...(formerPem !== "" && { formerPem }),
  };
}

function versionOf(object: Fields): string {
  return String(fieldsOf(object["metadata"])["resourceVersion"]);
}

function fieldsOf(value: unknown): Fields {
  return isRecord(value) ? value : {};
}
