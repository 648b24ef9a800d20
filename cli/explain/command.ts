/** `tulle explain`: what would happen to a request, and why. */

import { Command } from "commander";
import { openCluster } from "../cluster/cluster.ts";
import { readClusterPipeline, readDomains } from "../cluster/cluster-pipeline.ts";
import { type MeshDomains, readPipeline, warnOfProblems } from "../folder-pipeline.ts";
import { thereAre } from "../known-names.ts";
import { addMeshOptions, type MeshOptions, openMesh } from "../mesh-client.ts";
import { findSidecars } from "../sidecars/find-sidecars.ts";
import { paintFor } from "../terminal.ts";
import { UsageError } from "../usage-error.ts";
import { describeRequest, type RequestWords } from "./described-request.ts";
import { explain } from "./explanation.ts";
import { liveFacts } from "./live-facts.ts";
import { podsBehind, readServers, readSnapshot } from "./live-servers.ts";
import type { MeshFacts } from "./mesh-facts.ts";
import { pipelineFacts } from "./pipeline-facts.ts";
import { printExplanation } from "./print.ts";

interface ExplainOptions extends MeshOptions, Partial<MeshDomains> {
  readonly folder?: readonly string[];
  readonly sidecar?: string;
  readonly from?: string;
  readonly header?: readonly string[];
  readonly output: "json" | "text";
}

const help = `
Runs the sidecar's own decision code; nothing is sent. With -f it reads YAML, and workloads without Pods are assumed to have
as many as they ask for. Otherwise it reads what your kubeconfig lets you list in the cluster. With --sidecar it asks one
sidecar what it has now, including open breakers, and asks the workloads that the request may reach what they would answer;
that requires the right to forward ports of these pods.

Examples:
  $ tulle explain -f deploy/demo GET http://catalog/items --from shop/web
  $ tulle explain GET http://catalog/items --from shop/web -H "x-canary: 1"
  $ tulle explain --sidecar shop/web-6f7d9-x2x8k GET http://catalog/items
  $ tulle explain GET http://chat/ --from shop/web -H "connection: upgrade" -H "upgrade: websocket"
  $ tulle explain -f deploy/demo POST http://payments.shop/charges --from shop/orders -o json | jq .tries`;

export function explainCommand(): Command {
  const command = new Command("explain");
  return addMeshOptions(command)
    .description("show which route a request would take, which policies apply to it, and why")
    .argument("<method>", "GET, POST …")
    .argument("<url>", "as the application would call it: http://orders/items?id=1")
    .option("-f, --folder <path>", "a folder or file of Kubernetes YAML; may be repeated", collect)
    .option("--sidecar <namespace/pod>", "use what this pod's sidecar has now; also in a mesh of tulle dev")
    .option("--from <namespace/workload>", "the caller; a namespace alone: a caller there outside the mesh")
    .option("-H, --header <field>", 'a header field of the request, "name: value"; may be repeated', collect)
    .option("--cluster-domain <domain>", "domain of the cluster's DNS; default: the cluster's, else cluster.local")
    .option("--trust-domain <domain>", "first part of SPIFFE ids; default: the cluster's, else cluster.local")
    .addOption(command.createOption("-o, --output <format>").choices(["json", "text"]).default("text"))
    .addHelpText("after", help)
    .action((method: string, url: string, options: ExplainOptions) => run(method, url, options));
}

function collect(value: string, values: readonly string[] = []): readonly string[] {
  return [...values, value];
}

async function run(method: string, url: string, options: ExplainOptions): Promise<void> {
  const { header: headers = [], output } = options;
  const { facts, from = options.from } = await readFacts(options, { method, url, headers });
  const request = describeRequest({ method, url, headers, ...(from !== undefined && { from }) });
  const explanation = explain(facts, request);
  const words =
    output === "json"
      ? `${JSON.stringify(explanation, undefined, 2)}\n`
      : printExplanation(request, explanation, paintFor(process.stdout, process.env));
  process.stdout.write(words);
}

/** Where the answer comes from. A sidecar answers for its own workload only. */
interface Source {
  readonly facts: MeshFacts;
  readonly from?: string;
}

async function readFacts(options: ExplainOptions, words: RequestWords): Promise<Source> {
  const { folder, sidecar } = options;
  if (folder !== undefined && sidecar !== undefined) throw new UsageError("-f and --sidecar exclude each other");
  if (sidecar !== undefined) return readSidecar(sidecar, options, words);
  if (folder !== undefined) {
    const domains = domainsOf(options);
    const pipeline = await readPipeline(folder, domains);
    warnOfProblems(pipeline);
    return { facts: pipelineFacts(pipeline, domains) };
  }
  const cluster = await openCluster(options);
  try {
    const domains = domainsOf(options, await readDomains(cluster));
    const { pipeline } = await readClusterPipeline(cluster, domains);
    return { facts: pipelineFacts(pipeline, domains) };
  } finally {
    cluster.close();
  }
}

async function readSidecar(name: string, options: ExplainOptions, words: RequestWords): Promise<Source> {
  const mesh = await openMesh(options, process.env);
  try {
    const [namespace] = name.split("/");
    const sidecars = await findSidecars(mesh, namespace);
    const sidecar = sidecars.find(({ pod }) => pod === name);
    if (sidecar === undefined) {
      const pods = sidecars.map(({ pod }) => pod);
      throw new UsageError(`no sidecar in pod ${name}; ${thereAre(pods, name)}`);
    }
    if (options.from !== undefined && options.from !== sidecar.workload)
      throw new UsageError(`--from ${options.from}: the sidecar of ${name} is that of ${sidecar.workload}`);
    const snapshot = await readSnapshot(sidecar);
    const domains = domainsOf(options, mesh.cluster === undefined ? {} : await readDomains(mesh.cluster));
    const from = sidecar.workload;
    const request = describeRequest({ ...words, from });
    const pods = podsBehind(liveFacts(snapshot, domains), request);
    return { facts: liveFacts(snapshot, domains, await readServers(mesh, pods)), from };
  } finally {
    mesh.close();
  }
}

function domainsOf(asked: Partial<MeshDomains>, known: Partial<MeshDomains> = {}): MeshDomains {
  const { clusterDomain = "cluster.local", trustDomain = "cluster.local" } = known;
  return { clusterDomain: asked.clusterDomain ?? clusterDomain, trustDomain: asked.trustDomain ?? trustDomain };
}
