/** `tulle inject`: the same injection for a manifest that is not in a cluster yet. Objects that create no pods pass through. */

import { type Document, isMap, type Node, parseAllDocuments, Scalar, visit } from "yaml";
import { err, type FieldError, ok, type Result } from "../../model/result.ts";
import type { InjectionConfig } from "./config.ts";
import { inject } from "./inject.ts";
import { type PodTemplate, readPodTemplate } from "./pod-spec.ts";
import { workloadOf } from "./workload.ts";

export interface InjectedManifest {
  readonly text: string;
  /** One line for each object that creates pods but got no sidecar. */
  readonly skipped: readonly string[];
}

const templatePaths: Readonly<Record<string, readonly string[]>> = {
  Pod: [],
  Deployment: ["spec", "template"],
  ReplicaSet: ["spec", "template"],
  ReplicationController: ["spec", "template"],
  StatefulSet: ["spec", "template"],
  DaemonSet: ["spec", "template"],
  Job: ["spec", "template"],
  CronJob: ["spec", "jobTemplate", "spec", "template"],
};

const booleanOf11 = /^(y|yes|n|no|on|off|true|false)$/i;

/** The errors name the object and the field. */
export function injectManifest(text: string, config: InjectionConfig): Result<InjectedManifest, FieldError[]> {
  const errors: FieldError[] = [];
  const skipped: string[] = [];
  const documents = parseAllDocuments(text);
  const list = Array.isArray(documents) ? documents : [];
  for (const document of list) {
    const [broken] = document.errors;
    if (broken === undefined) injectDocument(document, [], config, skipped, errors);
    else errors.push({ path: "", message: broken.message });
  }
  if (errors.length > 0) return err(errors);
  return ok({ text: list.map((document) => document.toString({ lineWidth: 0 })).join(""), skipped });
}

function injectDocument(
  document: Document,
  at: readonly (string | number)[],
  config: InjectionConfig,
  skipped: string[],
  errors: FieldError[],
): void {
  const object = at.length === 0 ? document.contents : document.getIn(at, true);
  if (!isMap(object)) return;
  const kind = String(object.get("kind"));
  const value: unknown = object.toJS(document);
  if (kind === "List") {
    const { items } = value as { items?: unknown };
    const count = Array.isArray(items) ? items.length : 0;
    for (let i = 0; i < count; i++) injectDocument(document, [...at, "items", i], config, skipped, errors);
    return;
  }
  const path = Object.hasOwn(templatePaths, kind) ? templatePaths[kind] : undefined;
  if (path === undefined) return;
  const found = readIn(value, path);
  const named = `${kind} ${textIn(value, "namespace") ?? "default"}/${textIn(value, "name") ?? ""}`;
  const template = readPodTemplate(found);
  if (!template.ok) return refuse(named, path, template.error, errors);
  const target = {
    namespace: textIn(value, "namespace") ?? "default",
    workload: workloadIn(kind, value, template.value),
  };
  const injection = inject(template.value, target, config);
  switch (injection.kind) {
    case "skipped":
      skipped.push(`${named}: ${injection.reason}`);
      return;
    case "refused":
      return refuse(named, path, injection.errors, errors);
    case "injected":
      replaceIn(document, [...at, ...path], injection.pod);
  }
}

function replaceIn(document: Document, at: readonly (string | number)[], pod: PodTemplate): void {
  // Field by field, so that fields beside them keep their comments.
  document.setIn([...at, "metadata"], quoted(document.createNode(pod.metadata)));
  document.setIn([...at, "spec"], quoted(document.createNode(pod.spec)));
}

/** kubectl reads YAML 1.1, in which an unquoted `off` is a boolean. */
function quoted<T extends Node>(node: T): T {
  visit(node, {
    Scalar: (_key, scalar) => {
      if (typeof scalar.value === "string" && booleanOf11.test(scalar.value)) scalar.type = Scalar.QUOTE_DOUBLE;
    },
  });
  return node;
}

/** The workload's name as the webhook will read it from the pods created from this. */
function workloadIn(kind: string, value: unknown, { metadata = {} }: PodTemplate): string {
  if (kind === "Pod") return workloadOf(metadata);
  const name = textIn(value, "name") ?? (textIn(value, "generateName") ?? "").replace(/-$/, "");
  return workloadOf({ ...metadata, ownerReferences: [{ kind, name, controller: true }] });
}

function refuse(named: string, path: readonly string[], found: readonly FieldError[], errors: FieldError[]): void {
  for (const error of found)
    errors.push({
      path: `${named} ${[...path, error.path].filter((part) => part !== "").join(".")}`,
      message: error.message,
    });
}

function textIn(value: unknown, field: string): string | undefined {
  const text = readIn(value, ["metadata", field]);
  return typeof text === "string" ? text : undefined;
}

function readIn(value: unknown, path: readonly string[]): unknown {
  let found = value;
  for (const field of path) {
    if (typeof found !== "object" || found === null) return undefined;
    found = new Map<string, unknown>(Object.entries(found)).get(field);
  }
  return found;
}
