/** The node's cluster as a user has it: kubectl, helm, and a few objects that all scenarios need. */

import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { parseExposition } from "../../support/exposition.ts";
import { inputOf } from "../../support/program-input.ts";

export interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly [field: string]: unknown };
  readonly [field: string]: unknown;
}

const scripts = join(import.meta.dirname, "..");
const programs = join(import.meta.dirname, "programs");
export const image = "tulle-demo:0.1.0";
export const scenariosImage = "tulle-scenarios:0.1.0";
/** See env.sh. */
export const nodeIp = "10.123.0.2";
/** Most looks start a program. */
const pollMs = 500;
const askWithinMs = 20_000;

const withEnvironment = `. ${join(scripts, "env.sh")}; exec "$0" "$@"`;

/** A command with the cluster's environment that goes on until it is killed. */
export function start(command: string, args: readonly string[]): ChildProcessByStdio<null, Readable, Readable> {
  return spawn("bash", ["-c", withEnvironment, command, ...args], { stdio: ["ignore", "pipe", "pipe"] });
}

/** Runs a command with the cluster's environment, and rejects with what it said where it fails. */
export async function run(command: string, args: readonly string[], input = "", withinMs = 120_000): Promise<string> {
  const signal = AbortSignal.timeout(withinMs);
  const child = spawn("bash", ["-c", withEnvironment, command, ...args], { stdio: "pipe", signal });
  const closed = once(child, "close") as Promise<[number | null]>;
  inputOf(child).end(input);
  const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), closed]);
  if (code === 0) return out;
  throw new Error(`${command} ${args.join(" ")}: exit code ${code}: ${err.trim()} ${out.trim().slice(-2_000)}`);
}

export function kubectl(...args: readonly string[]): Promise<string> {
  return run("kubectl", args, "", 250_000);
}

/** The CLI as a user runs it: what it prints, whatever its exit code says of the mesh. */
export function tulle(...args: readonly string[]): Promise<string> {
  return run("bash", ["-c", '"$0" "$@" || [ $? -eq 1 ]', join(scripts, "../../bin/tulle"), ...args], "", 240_000);
}

export function helm(...args: readonly string[]): Promise<string> {
  return run("helm", args, "", 180_000);
}

export async function apply(objects: readonly KubernetesObject[]): Promise<void> {
  await run("kubectl", ["apply", "-f", "-"], JSON.stringify({ apiVersion: "v1", kind: "List", items: objects }));
}

export async function readObject<T>(...args: readonly string[]): Promise<T> {
  return JSON.parse(await kubectl("get", ...args, "-o", "json")) as T;
}

/** Until `look` gives something. Rejects with the last thing seen, or its error. */
export async function eventually<T>(what: string, look: () => Promise<T | undefined>, withinMs = 60_000): Promise<T> {
  const endAtMs = performance.now() + withinMs;
  let last: unknown;
  for (;;) {
    try {
      const found = await look();
      if (found !== undefined) return found;
    } catch (error) {
      last = error;
    }
    if (performance.now() > endAtMs) throw new Error(`not within ${withinMs} ms: ${what}`, { cause: last });
    await sleep(pollMs);
  }
}

/** A namespace with the programs of `programs/` in it. */
export function namespace(name: string, meshed: boolean): KubernetesObject[] {
  const labels = meshed ? { "tulle.dev/inject": "enabled" } : {};
  const files = readdirSync(programs).map((file) => [file, readFileSync(join(programs, file), "utf8")]);
  return [
    { apiVersion: "v1", kind: "Namespace", metadata: { name, labels } },
    {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "programs", namespace: name },
      data: Object.fromEntries(files) as Record<string, string>,
    },
  ];
}

export interface Program {
  readonly namespace: string;
  readonly name: string;
  /** In `programs/`. */
  readonly program: "client" | "server" | "ledger";
  readonly env?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly replicas?: number;
  /** Merged into its container. */
  readonly container?: Readonly<Record<string, unknown>>;
  /** Merged into its pod's spec. */
  readonly pod?: Readonly<Record<string, unknown>>;
}

export function podSpec({ name, program, env = {}, container = {}, pod = {} }: Program): Record<string, unknown> {
  return {
    serviceAccountName: name,
    terminationGracePeriodSeconds: 20,
    containers: [
      {
        name: program,
        image,
        args: [`/programs/${program}.ts`],
        env: Object.entries(env).map(([key, value]) => ({ name: key, value })),
        volumeMounts: [{ name: "programs", mountPath: "/programs" }],
        ...(program !== "client" && {
          ports: [{ name: "http", containerPort: 8080 }],
          // An answer that is late on a busy machine is an answer.
          readinessProbe: { httpGet: { path: "/healthz", port: "http" }, periodSeconds: 1, timeoutSeconds: 5 },
        }),
        ...container,
      },
    ],
    volumes: [{ name: "programs", configMap: { name: "programs" } }],
    ...pod,
  };
}

/** Its Deployment and service account. */
export function deployment(program: Program): KubernetesObject[] {
  return deploymentOf(program, podSpec(program));
}

/** A container of the scenarios' image: without arguments one that waits, to ask from (see scenarios/ask.ts). */
export interface Scenario {
  readonly namespace: string;
  readonly name: string;
  readonly annotations?: Readonly<Record<string, string>>;
  /** Merged into its container. */
  readonly container?: Readonly<Record<string, unknown>>;
  /** Merged into its pod's spec. */
  readonly pod?: Readonly<Record<string, unknown>>;
}

export function scenario(scenario: Scenario): KubernetesObject[] {
  const { name, container = {}, pod = {} } = scenario;
  const one = { name: "scenario", image: scenariosImage, command: ["/usr/local/bin/node", "ask.mjs"], ...container };
  return deploymentOf(scenario, {
    serviceAccountName: name,
    terminationGracePeriodSeconds: 20,
    containers: [one],
    ...pod,
  });
}

function deploymentOf(
  { namespace, name, labels = {}, annotations = {}, replicas = 1 }: Omit<Program, "program">,
  spec: Readonly<Record<string, unknown>>,
): KubernetesObject[] {
  const all = { app: name, ...labels };
  return [
    { apiVersion: "v1", kind: "ServiceAccount", metadata: { name, namespace } },
    {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name, namespace },
      spec: {
        replicas,
        selector: { matchLabels: { app: name } },
        strategy: { rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
        template: { metadata: { labels: all, annotations }, spec },
      },
    },
  ];
}

const http = { name: "http", port: 80, targetPort: 8080, appProtocol: "http" };

export function service(
  namespace: string,
  name: string,
  selector: Readonly<Record<string, string>>,
  ports: readonly object[] = [http],
): KubernetesObject {
  return { apiVersion: "v1", kind: "Service", metadata: { name, namespace }, spec: { selector, ports } };
}

/** Of a Service's first port. */
export async function nodePort(namespace: string, service: string): Promise<string> {
  return await kubectl("-n", namespace, "get", "service", service, "-o", "jsonpath={.spec.ports[0].nodePort}");
}

/** `names`: of Deployments, or `statefulset/…`. */
export async function rolledOut(namespace: string, ...names: readonly string[]): Promise<void> {
  const all = names.map((name) => (name.includes("/") ? name : `deployment/${name}`));
  for (const workload of all) await kubectl("-n", namespace, "rollout", "status", workload, "--timeout=240s");
}

export interface PodList {
  readonly items: readonly Pod[];
}

export interface Pod {
  readonly metadata: { readonly name: string };
  readonly status: {
    readonly podIP: string;
    readonly containerStatuses?: readonly ContainerStatus[];
    readonly initContainerStatuses?: readonly ContainerStatus[];
  };
}

export interface ContainerStatus {
  readonly name: string;
  readonly containerID: string;
  readonly ready: boolean;
  readonly restartCount: number;
  readonly state: {
    readonly running?: { readonly startedAt: string };
    readonly terminated?: { readonly finishedAt: string };
  };
  /** Of the container that was here before it. */
  readonly lastState: { readonly terminated?: { readonly reason: string } };
}

/** The first that carries the label. */
export async function podOf(namespace: string, selector: string): Promise<Pod> {
  const { items } = await readObject<PodList>("-n", namespace, "pods", "-l", selector);
  const [pod] = items;
  if (pod === undefined) throw new Error(`no pod with ${selector}`);
  return pod;
}

/** What the sidecar of the pod with that label has counted: the sum over all series that carry `labels`. */
export async function counted(
  namespace: string,
  selector: string,
  metric: string,
  labels: Readonly<Record<string, string>> = {},
): Promise<number> {
  const { status } = await podOf(namespace, selector);
  const samples = parseExposition(await (await fetch(`http://${status.podIP}:15020/metrics`)).text()).get(metric) ?? [];
  const wanted = samples.filter((sample) =>
    Object.entries(labels).every(([key, value]) => sample.labels[key] === value),
  );
  return wanted.reduce((sum, { value }) => sum + value, 0);
}

export function sidecarOf({ status }: Pod): ContainerStatus | undefined {
  return status.initContainerStatuses?.find(({ name }) => name === "tulle-sidecar");
}

/** The id of a container's process, on this machine: the node is a network namespace of it. */
export async function processOf({ containerID }: ContainerStatus): Promise<string> {
  const find = `ctr -a "$CONTAINERD_SOCKET" -n k8s.io task ls | awk -v id="$0" '$1 == id { print $2 }'`;
  return (await run("bash", ["-c", find, containerID.replace("containerd://", "")])).trim();
}

/** What a client has sent, and what became of it (see programs/account.ts). */
export interface Account {
  /** The client's pod. */
  readonly name: string;
  readonly sent: number;
  readonly underWay: number;
  /** It is known of each request up to this number what became of it. */
  readonly settledTo: number;
  /** `200 v1` for an answer of that body, else the method, and the status with the mesh's own code or the error's. */
  readonly answers: Readonly<Record<string, number>>;
  /** In ms since 1970. */
  readonly firstSeen: Readonly<Record<string, number>>;
  readonly lastFailure: string;
  /** These have numbers of their own. */
  readonly posts: {
    readonly settledTo: number;
    /** The mesh says that they were not processed. */
    readonly refused: readonly number[];
    /** Nobody has said whether they were. */
    readonly unsure: readonly number[];
  };
}

/** Of the client's last line. */
export async function accountOf(namespace: string, client: string): Promise<Account> {
  const line = await kubectl("-n", namespace, "logs", `deployment/${client}`, "-c", "client", "--tail=1");
  return JSON.parse(line) as Account;
}

/** All but the 200s. */
export function failuresOf({ answers }: Account): Readonly<Record<string, number>> {
  return Object.fromEntries(Object.entries(answers).filter(([outcome]) => !outcome.startsWith("200")));
}

/** `count` exchanges from a scenario's pod (see scenarios/ask.ts): how often each outcome came. */
export async function exchange(
  namespace: string,
  workload: string,
  kind: string,
  address: string,
  count = 1,
): Promise<Readonly<Record<string, number>>> {
  const command = ["/usr/local/bin/node", "ask.mjs", kind, address, String(count)];
  return JSON.parse(await inside(namespace, workload, ...command)) as Record<string, number>;
}

/** What a command says in a pod's own container. */
export async function inside(namespace: string, workload: string, ...command: readonly string[]): Promise<string> {
  return (await kubectl("-n", namespace, "exec", `deployment/${workload}`, "--", ...command)).trim();
}

/** One request from a pod's own container, to its end: the status and the body. */
export function ask(namespace: string, workload: string, url: string): Promise<string> {
  const script = `fetch(${JSON.stringify(url)}, { signal: AbortSignal.timeout(${askWithinMs}) }).then(
    async (r) => console.log(r.status, (await r.text()).trim()), (e) => console.log(e.cause?.code ?? e.name))`;
  return inside(namespace, workload, "/usr/local/bin/node", "-e", script);
}
