/** Objects as scenarios put them into the API server. */

import { type ApiAnswer, type ClusterApi, describeAnswer } from "../../../control-plane/kubernetes/cluster-api.ts";
import { isRecord } from "../../../control-plane/source/kube-object.ts";

type Fields = Readonly<Record<string, unknown>>;

interface TestNode {
  readonly name: string;
  readonly zone: string;
}

/** Nodes that nobody is: where pods go that only exist on paper. EndpointSlices leave out pods without one. */
export const testNodes = {
  near: { name: "tulle-test-node", zone: "tulle-test-zone-a" },
  far: { name: "tulle-test-node-far", zone: "tulle-test-zone-b" },
} as const satisfies Readonly<Record<string, TestNode>>;

/** Of all that scenarios make and that lives in no namespace: in a cluster of somebody's, this and nothing else is taken away. */
export const testLabels = { "tulle.dev/test": "scenario" } as const;

export async function ensureTestNodes(api: ClusterApi): Promise<void> {
  for (const { name, zone } of Object.values(testNodes)) {
    const metadata = { name, labels: { ...testLabels, "topology.kubernetes.io/zone": zone } };
    const made = await api.request({ method: "POST", path: "/api/v1/nodes", body: { metadata } });
    if (made.status !== 409) expectDone(made);
  }
  await refreshTestNodes(api);
}

/** As their kubelets would: a node that says nothing for 40 s is taken for dead, and its pods for not ready. */
export async function refreshTestNodes(api: ClusterApi): Promise<void> {
  const condition = { type: "Ready", status: "True", reason: "Test", lastHeartbeatTime: new Date().toISOString() };
  for (const { name } of Object.values(testNodes)) {
    const path = `/api/v1/nodes/${name}/status`;
    const body = { status: { conditions: [condition] } };
    expectDone(await api.request({ method: "PATCH", path, contentType: "application/merge-patch+json", body }));
  }
}

/** Where the API serves objects of a kind. */
function collectionOf(apiVersion: string, plural: string, namespace: string | undefined): string {
  const base = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  return namespace === undefined ? `${base}/${plural}` : `${base}/namespaces/${namespace}/${plural}`;
}

interface PodOptions {
  readonly meshed?: boolean;
  readonly redirected?: boolean;
  readonly node?: TestNode;
  /** It is ready then. */
  readonly ip?: string;
}

/** A namespace of its own for one scenario. */
export class TestNamespace {
  readonly name: string;
  readonly #api: ClusterApi;
  readonly #accounts = new Map<string, Promise<unknown>>();

  private constructor(api: ClusterApi, name: string) {
    this.#api = api;
    this.name = name;
  }

  static async create(api: ClusterApi, prefix: string, labels: Fields = {}): Promise<TestNamespace> {
    const metadata = { generateName: `${prefix}-`, labels: { ...testLabels, ...labels } };
    const made = await api.request({
      method: "POST",
      path: "/api/v1/namespaces",
      body: { apiVersion: "v1", kind: "Namespace", metadata },
    });
    return new TestNamespace(api, String(nested(expectDone(made).body, "metadata", "name")));
  }

  /** Returns the object as the server has it. */
  async create(apiVersion: string, plural: string, object: Fields): Promise<Fields> {
    const path = collectionOf(apiVersion, plural, this.name);
    return asFields(expectDone(await this.#api.request({ method: "POST", path, body: object })).body);
  }

  async patch(apiVersion: string, path: string, patch: Fields): Promise<Fields> {
    const answer = await this.#api.request({
      method: "PATCH",
      path: `${collectionOf(apiVersion, path, this.name)}`,
      body: patch,
      contentType: "application/merge-patch+json",
    });
    return asFields(expectDone(answer).body);
  }

  async read(apiVersion: string, path: string): Promise<ApiAnswer> {
    return this.#api.request({ path: collectionOf(apiVersion, path, this.name) });
  }

  async delete(apiVersion: string, path: string): Promise<void> {
    const query = { gracePeriodSeconds: "0" };
    expectDone(await this.#api.request({ method: "DELETE", path: collectionOf(apiVersion, path, this.name), query }));
  }

  service(name: string, spec: Fields = {}): Promise<Fields> {
    return this.create("v1", "services", {
      metadata: { name },
      spec: { selector: { app: name }, ports: [{ name: "http", port: 80, targetPort: 8080 }], ...spec },
    });
  }

  /** Made if there is none yet. */
  async serviceAccount(name: string): Promise<void> {
    const made = this.#accounts.get(name) ?? this.create("v1", "serviceaccounts", { metadata: { name } });
    this.#accounts.set(name, made);
    await made;
  }

  /** One that nobody runs, with the service account of its app; meshed, and its connections redirected, as injection leaves it. */
  async pod(
    name: string,
    app: string,
    { meshed = true, redirected = true, node = testNodes.near, ip }: PodOptions = {},
  ): Promise<Fields> {
    const annotations = { "tulle.dev/proxy-version": "0.1.0", "tulle.dev/workload": app };
    const sidecar = { name: "tulle-sidecar", image: "none", restartPolicy: "Always" };
    const initContainers = [...(redirected ? [{ name: "tulle-init", image: "none" }] : []), sidecar];
    await this.serviceAccount(app);
    const made = await this.create("v1", "pods", {
      metadata: { name, labels: { app }, ...(meshed && { annotations }) },
      spec: {
        nodeName: node.name,
        serviceAccountName: app,
        containers: [{ name: "app", image: "none", ports: [{ name: "http", containerPort: 8080 }] }],
        ...(meshed && { initContainers }),
      },
    });
    return ip === undefined ? made : this.podStatus(name, ip, true);
  }

  podStatus(name: string, ip: string, ready: boolean): Promise<Fields> {
    const conditions = [{ type: "Ready", status: ready ? "True" : "False" }];
    const status = { phase: "Running", podIP: ip, podIPs: [{ ip }], conditions };
    return this.patch("v1", `pods/${name}/status`, { status });
  }

  /** Somebody deletes the pod, and its program has not ended yet: with no kubelet, it is there until `delete`. */
  async end(pod: string): Promise<void> {
    expectDone(await this.#api.request({ method: "DELETE", path: collectionOf("v1", `pods/${pod}`, this.name) }));
  }

  /** For whoever wants to delete it and what is in it. */
  async remove(): Promise<void> {
    expectDone(await this.#api.request({ method: "DELETE", path: `/api/v1/namespaces/${this.name}` }));
  }
}

export function expectDone(answer: ApiAnswer): ApiAnswer {
  if (answer.status >= 300) throw new Error(describeAnswer(answer));
  return answer;
}

export function nested(value: unknown, ...path: string[]): unknown {
  return path.reduce<unknown>((at, key) => (isRecord(at) ? at[key] : undefined), value);
}

function asFields(value: unknown): Fields {
  if (!isRecord(value)) throw new Error("not an object");
  return value;
}
