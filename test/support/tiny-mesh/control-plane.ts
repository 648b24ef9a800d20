/**
 * Takes the place of the control plane in tests of the supervisor alone: it is ready at once, and sees only what the test tells
 * it to.
 */

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { parse } from "yaml";

interface PodObject {
  readonly metadata: { readonly name: string; readonly namespace: string };
  readonly status: { readonly conditions: readonly { readonly type: string; readonly status: string }[] };
}

const args = process.argv.slice(2);
const folder = args[args.indexOf("--folder") + 1] ?? "";
const objects = args[args.lastIndexOf("--folder") + 1] ?? "";
const address = args[args.indexOf("--listen-address") + 1] ?? "";
const complaint = join(folder, "complaint.txt");
/** While this file exists, no pod is known to be ready. */
const deaf = join(folder, "deaf.txt");

const server = createServer((_request, response) => {
  const problems = existsSync(complaint) ? [readFileSync(complaint, "utf8")] : [];
  response.end(JSON.stringify({ problems, readyPods: existsSync(deaf) ? [] : readyPods(), resources: [] }));
});

function readyPods(): string[] {
  const files = readdirSync(objects).filter((file) => file.endsWith(".yaml") || file.endsWith(".json"));
  const pods = files.map((file) => parse(readFileSync(join(objects, file), "utf8")) as PodObject);
  const ready = pods.filter(({ status }) =>
    status.conditions.some(({ type, status: value }) => type === "Ready" && value === "True"),
  );
  return ready.map(({ metadata: { namespace, name } }) => `${namespace}/${name}`);
}

process.once("SIGTERM", () => process.exit(0));
server.listen(15014, address);
