/** kubectl as a user types it: its own words are what a scenario looks at. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { stringify } from "yaml";
import { inputOf } from "../support/program-input.ts";
import { clusterProgram } from "./api-server.ts";
import { givenCluster } from "./given-cluster.ts";

export interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** `args` are divided by spaces; `input`, if given, is what `-f -` reads. */
export type Kubectl = (args: string, input?: unknown) => Promise<Outcome>;

export function kubectlIn(kubeconfig: string, namespace: string): Kubectl {
  // Beside a cluster of somebody's there is a kubectl, too.
  const program = process.env[givenCluster] === undefined ? clusterProgram("kubectl") : "kubectl";
  return async (args, input) => {
    const options = [`--kubeconfig=${kubeconfig}`, `--namespace=${namespace}`];
    const child = spawn(program, [...options, ...args.split(" ")]);
    const [out, err] = [gather(child.stdout), gather(child.stderr)];
    inputOf(child).end(input === undefined ? "" : stringify(input));
    const [code] = (await once(child, "close")) as [number];
    return { code, out: await out, err: await err };
  };
}

async function gather(stream: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
}
