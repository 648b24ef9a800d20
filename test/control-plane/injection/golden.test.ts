/**
 * Pairs in `test/golden/injection`: `NAME.in.yaml` is what a user writes, `NAME.out.yaml` what `tulle inject` makes of it. Each
 * pod template of it goes through the webhook too, and must come out the same. `UPDATE_GOLDEN=1` writes the second file.
 */

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { parseAllDocuments } from "yaml";
import type { AdmissionAnswer } from "../../../control-plane/admission/review.ts";
import { defaultInjectionConfig } from "../../../control-plane/injection/config.ts";
import { injectManifest } from "../../../control-plane/injection/manifest.ts";
import { injectHandler } from "../../../control-plane/injection/webhook.ts";
import { applyPatch } from "../../support/json-patch.ts";

const folder = join(import.meta.dirname, "../../golden/injection");
const config = { ...defaultInjectionConfig, proxyVersion: "1.2.3", images: imagesOf("1.2.3") };
const names = readdirSync(folder).flatMap((file) =>
  file.endsWith(".in.yaml") ? file.slice(0, -".in.yaml".length) : [],
);

function imagesOf(version: string) {
  return { sidecar: `tulle/sidecar:${version}`, init: `tulle/init:${version}`, pullPolicy: "IfNotPresent" };
}

function injectOffline(text: string): string {
  const injected = injectManifest(text, config);
  if (!injected.ok) return injected.error.map(({ path, message }) => `# refused: ${path}: ${message}\n`).join("");
  return injected.value.skipped.map((line) => `# left alone: ${line}\n`).join("") + injected.value.text;
}

interface Template {
  readonly metadata?: Readonly<Record<string, unknown>>;
  readonly spec: unknown;
}

interface Workload extends Template {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace: string };
  readonly spec: { readonly template?: Template; readonly jobTemplate?: { readonly spec: { template: Template } } };
}

function templateOf({ kind, metadata, spec }: Workload): Template {
  return kind === "Pod"
    ? { metadata, spec }
    : (spec.template ?? spec.jobTemplate?.spec.template ?? { spec: undefined });
}

const templateHash = "7d9f8b6c5";

/** What makes the pods of a workload: of a Deployment and a CronJob it is an object that they have made themselves. */
function ownerOf({ kind, metadata: { name } }: Workload): { readonly kind: string; readonly name: string } {
  switch (kind) {
    case "Deployment":
      return { kind: "ReplicaSet", name: `${name}-${templateHash}` };
    case "CronJob":
      return { kind: "Job", name: `${name}-29384710` };
    default:
      return { kind, name };
  }
}

/** As the API server would show it, made by its controller. */
function podOf(workload: Workload): Template {
  const { kind } = workload;
  const template = templateOf(workload);
  if (kind === "Pod") return template;
  const { metadata } = template;
  const ownerReferences = [{ ...ownerOf(workload), controller: true }];
  const hash = kind === "Deployment" && { "pod-template-hash": templateHash };
  return { ...template, metadata: { ...metadata, labels: { ...labelsOf(template), ...hash }, ownerReferences } };
}

function labelsOf({ metadata = {} }: Template): Readonly<Record<string, string>> {
  return (metadata["labels"] ?? {}) as Readonly<Record<string, string>>;
}

/** Without what its controller has put there. */
function asTemplate(pod: Template): Template {
  const { metadata = {}, spec } = pod;
  const { ownerReferences: _, labels: __, ...told } = metadata;
  const { "pod-template-hash": ___, ...own } = labelsOf(pod);
  return { metadata: { ...told, ...(Object.keys(own).length > 0 && { labels: own }) }, spec };
}

function askWebhook(object: unknown, namespace: string): AdmissionAnswer {
  const review = {
    uid: "1",
    group: "",
    kind: "Pod",
    subresource: "",
    name: "",
    oldObject: null,
    dryRun: false,
  } as const;
  return injectHandler(config)({ ...review, namespace, operation: "CREATE", object });
}

function workloadsIn(text: string): Workload[] {
  const objects = [...parseAllDocuments(text)].map((document) => document.toJS() as Workload);
  return objects.filter(({ kind }) => kind !== "Service");
}

it.each(names)("injects %s", (name) => {
  const output = injectOffline(readFileSync(join(folder, `${name}.in.yaml`), "utf8"));
  const expected = join(folder, `${name}.out.yaml`);
  if (process.env["UPDATE_GOLDEN"] === "1") writeFileSync(expected, output);
  expect(output).toBe(readFileSync(expected, "utf8"));
});

it.each(names.filter((name) => name !== "refused"))("patches the pods of %s as it injects their manifest", (name) => {
  const text = readFileSync(join(folder, `${name}.in.yaml`), "utf8");
  const injected = workloadsIn(injectOffline(text)).map(templateOf);
  const patched = workloadsIn(text).map((workload) => {
    const pod = podOf(workload);
    const answer = askWebhook(pod, workload.metadata.namespace);
    if (answer.verdict === "refuse") return answer.causes;
    return asTemplate(applyPatch(pod, answer.patch ?? []) as Template);
  });
  expect(patched).toEqual(injected);
});

it.each(names.filter((name) => name !== "refused"))("finds nothing to do in the pods of %s a second time", (name) => {
  const once = injectOffline(readFileSync(join(folder, `${name}.in.yaml`), "utf8"));
  for (const workload of workloadsIn(once))
    expect(askWebhook(podOf(workload), workload.metadata.namespace)).toEqual({ verdict: "admit", warnings: [] });
});
