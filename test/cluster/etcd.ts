/**
 * Puts objects under an API server, into its etcd: 120,000 of them take seconds where requests would take minutes. The server
 * serves them as its own, lists and watches included. Nobody has checked them: they must be whole, with `uid` and all.
 */

import { Agent, request } from "node:http";

export interface StoredObject {
  /** Below `/registry`: `pods/shop/orders-1`. */
  readonly key: string;
  /** With `apiVersion` and `kind`; JSON is one of the forms that the server reads. */
  readonly object: unknown;
}

/** What etcd takes in one transaction unless it is told otherwise. */
const maxPerTransaction = 128;
const atOnce = 8;

/**
 * Rejects at the first that etcd refuses. What one transaction brings has one version: where somebody watches the kind already,
 * it must be one object, or a watch that breaks goes on behind the others of its version.
 */
export async function putObjects(
  etcd: URL,
  objects: Iterable<StoredObject>,
  perTransaction = maxPerTransaction,
): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: atOnce });
  const batches = inBatches(objects, perTransaction);
  const worker = async (): Promise<void> => {
    for (const batch of batches) await commit(etcd, agent, batch);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  agent.destroy();
}

function* inBatches(objects: Iterable<StoredObject>, size: number): Generator<readonly StoredObject[]> {
  let batch: StoredObject[] = [];
  for (const object of objects) {
    batch.push(object);
    if (batch.length < size) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

/** By etcd's HTTP gateway (https://etcd.io/docs/v3.5/dev-guide/api_grpc_gateway/). */
async function commit(etcd: URL, agent: Agent, batch: readonly StoredObject[]): Promise<void> {
  const success = batch.map(({ key, object }) => ({
    requestPut: { key: base64(`/registry/${key}`), value: base64(JSON.stringify(object)) },
  }));
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const sending = request(new URL("/v3/kv/txn", etcd), { method: "POST", agent }, (response) => {
    response.resume();
    if (response.statusCode !== 200) reject(new Error(`etcd answers ${response.statusCode}`));
    response.on("end", () => resolve());
  });
  sending.on("error", reject);
  sending.end(JSON.stringify({ success }));
  await promise;
}

function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}
