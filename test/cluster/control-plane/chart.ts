/** The chart `tulle` as Helm renders it, for scenarios that put it, or parts of it, before an API server. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { parseAllDocuments } from "yaml";
import { meshNamespace } from "../../../control-plane/index/facts.ts";
import { clusterProgram } from "../api-server.ts";

export const charts = join(import.meta.dirname, "../../../charts");
export const chart = join(charts, "tulle");

export interface Rendered {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly [field: string]: unknown;
}

export async function helm(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const child = spawn(clusterProgram("helm"), args);
  const [out, err, [code]] = await Promise.all([
    buffer(child.stdout),
    buffer(child.stderr),
    once(child, "close") as Promise<[number]>,
  ]);
  return { code, out: out.toString(), err: err.toString() };
}

export const template = (...args: string[]) =>
  helm("template", "any-name", chart, "--namespace", meshNamespace, "--kube-version", "1.34.3", ...args);

export function objectsIn(yaml: string): Rendered[] {
  return parseAllDocuments(yaml).flatMap((document) => (document.toJS() ?? []) as Rendered | []);
}
