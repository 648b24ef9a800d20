/** `tulle explain`: what would become of a request, and why. */

import { Command } from "commander";
import { readPipeline, warnOfProblems } from "../folder-pipeline.ts";
import { paintFor } from "../terminal.ts";
import { describeRequest } from "./described-request.ts";
import { explain } from "./explanation.ts";
import { printExplanation } from "./print.ts";

interface ExplainOptions {
  readonly folder: readonly string[];
  readonly from?: string;
  readonly header: readonly string[];
  readonly clusterDomain: string;
  readonly trustDomain: string;
  readonly output: "json" | "text";
}

const help = `
Asks the code that the sidecar runs; nothing is sent. Workloads without Pods are taken to run as many as they ask for.

Examples:
  $ tulle explain -f deploy/demo GET http://catalog/items --from shop/web
  $ tulle explain -f deploy/demo GET http://catalog/items --from shop/web -H "x-canary: 1"
  $ tulle explain -f deploy/demo POST http://payments.shop/charges --from shop/orders -o json | jq .tries`;

export function explainCommand(): Command {
  const command = new Command("explain");
  return command
    .description("say which route a request would take, which policies hold for it, and why")
    .argument("<method>", "GET, POST …")
    .argument("<url>", "as the application would ask for it: http://orders/items?id=1")
    .requiredOption("-f, --folder <path>", "a folder or file of Kubernetes YAML; may be given again", collect)
    .option("--from <namespace/workload>", "who asks; a namespace alone: something there that is not in the mesh")
    .option("-H, --header <field>", 'a header field of the request, "name: value"; may be given again', collect, [])
    .option("--cluster-domain <domain>", "domain of the cluster's DNS", "cluster.local")
    .option("--trust-domain <domain>", "first part of the workloads' SPIFFE ids", "cluster.local")
    .addOption(command.createOption("-o, --output <format>").choices(["json", "text"]).default("text"))
    .addHelpText("after", help)
    .action((method: string, url: string, options: ExplainOptions) => run(method, url, options));
}

function collect(value: string, values: readonly string[] = []): readonly string[] {
  return [...values, value];
}

async function run(method: string, url: string, options: ExplainOptions): Promise<void> {
  const { folder, from, header: headers, output } = options;
  const request = describeRequest({ method, url, headers, ...(from !== undefined && { from }) });
  const pipeline = await readPipeline(folder, options);
  warnOfProblems(pipeline);
  const explanation = explain(pipeline, request, options);
  const text =
    output === "json"
      ? `${JSON.stringify(explanation, undefined, 2)}\n`
      : printExplanation(request, explanation, paintFor(process.stdout, process.env));
  process.stdout.write(text);
}
