/**
 * The parts of a pod that injection reads or writes. Everything else in a pod passes through untouched, whatever version of
 * Kubernetes it is from.
 */

import { err, type FieldError, ok, type Result } from "../../model/result.ts";

/** A Pod, or the template in a Deployment and the like. */
export interface PodTemplate {
  readonly metadata?: PodMeta;
  readonly spec: PodSpec;
}

export interface PodMeta {
  readonly name?: string;
  readonly generateName?: string;
  readonly namespace?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly ownerReferences?: readonly OwnerReference[];
}

export interface OwnerReference {
  readonly kind?: string;
  readonly name?: string;
  readonly controller?: boolean;
}

export interface PodSpec {
  readonly containers: readonly Container[];
  readonly initContainers?: readonly Container[];
  readonly volumes?: readonly NamedObject[];
  readonly hostNetwork?: boolean;
  /** May be null in a manifest, which means the same as absent. */
  readonly terminationGracePeriodSeconds?: number | null;
  readonly securityContext?: SecurityContext;
  readonly os?: { readonly name?: string };
}

export interface NamedObject {
  readonly name: string;
  readonly [field: string]: unknown;
}

export interface Container extends NamedObject {
  readonly ports?: readonly { readonly name?: string; readonly containerPort?: number }[];
  readonly env?: readonly { readonly name: string; readonly value?: string }[];
  readonly securityContext?: SecurityContext;
  readonly restartPolicy?: string;
  readonly startupProbe?: Probe;
  readonly livenessProbe?: Probe;
  readonly readinessProbe?: Probe;
  readonly lifecycle?: { readonly postStart?: Hook; readonly preStop?: Hook };
}

export interface SecurityContext {
  readonly runAsUser?: number;
  readonly [field: string]: unknown;
}

export type Hook = Readonly<Record<string, unknown>> & { readonly httpGet?: HttpGet };

export type Probe = Hook & {
  readonly tcpSocket?: { readonly port: number | string; readonly host?: string };
  readonly grpc?: { readonly port: number; readonly service?: string };
  readonly timeoutSeconds?: number;
};

export interface HttpGet {
  readonly port: number | string;
  readonly path?: string;
  readonly host?: string;
  readonly scheme?: string;
  readonly httpHeaders?: readonly { readonly name: string; readonly value: string }[];
}

type Json = Readonly<Record<string, unknown>>;

/** Checks what injection reads. A folder may hold anything; the API server has already checked its pods. */
export function readPodTemplate(value: unknown): Result<PodTemplate, FieldError[]> {
  const errors: FieldError[] = [];
  if (!isObject(value, "", errors)) return err(errors);
  const { metadata, spec } = value;
  if (metadata !== undefined && isObject(metadata, "metadata", errors)) checkMeta(metadata, errors);
  if (isObject(spec, "spec", errors)) checkSpec(spec, errors);
  return errors.length === 0 ? ok(value as unknown as PodTemplate) : err(errors);
}

function checkMeta(meta: Json, errors: FieldError[]): void {
  for (const field of ["labels", "annotations"]) {
    const map = meta[field] ?? {};
    if (!isObject(map, `metadata.${field}`, errors)) continue;
    for (const [key, value] of Object.entries(map))
      check(typeof value === "string", `metadata.${field}[${JSON.stringify(key)}]`, "must be a string", errors);
  }
  eachObject(meta["ownerReferences"], "metadata.ownerReferences", errors, () => {});
}

function checkSpec(spec: Json, errors: FieldError[]): void {
  check(spec["containers"] !== undefined, "spec.containers", "must be given", errors);
  for (const field of ["containers", "initContainers"])
    eachObject(spec[field], `spec.${field}`, errors, (container, path) => checkContainer(container, path, errors));
  eachObject(spec["volumes"], "spec.volumes", errors, (volume, path) => checkName(volume, path, errors));
  optionalObject(spec, "securityContext", "spec", errors);
  optionalObject(spec, "os", "spec", errors);
  const graceSeconds = spec["terminationGracePeriodSeconds"] ?? 0;
  check(Number.isInteger(graceSeconds), "spec.terminationGracePeriodSeconds", "must be a whole number", errors);
}

function checkContainer(container: Json, path: string, errors: FieldError[]): void {
  checkName(container, path, errors);
  eachObject(container["ports"], `${path}.ports`, errors, () => {});
  eachObject(container["env"], `${path}.env`, errors, (entry, at) => checkName(entry, at, errors));
  optionalObject(container, "securityContext", path, errors);
  for (const field of ["startupProbe", "livenessProbe", "readinessProbe"])
    checkHook(optionalObject(container, field, path, errors), `${path}.${field}`, errors);
  const lifecycle = optionalObject(container, "lifecycle", path, errors);
  for (const field of ["postStart", "preStop"])
    checkHook(optionalObject(lifecycle, field, `${path}.lifecycle`, errors), `${path}.lifecycle.${field}`, errors);
}

function checkHook(hook: Json, path: string, errors: FieldError[]): void {
  for (const action of ["httpGet", "tcpSocket", "grpc"]) {
    if (hook[action] === undefined) continue;
    const { port } = optionalObject(hook, action, path, errors);
    const isPort = typeof port === "number" || typeof port === "string";
    check(isPort, `${path}.${action}.port`, "must be a number or a name", errors);
  }
  const { httpHeaders } = optionalObject(hook, "httpGet", path, errors);
  eachObject(httpHeaders, `${path}.httpGet.httpHeaders`, errors, (header, at) => {
    const isField = typeof header["name"] === "string" && typeof header["value"] === "string";
    check(isField, at, "must have a name and a value", errors);
  });
}

function checkName(object: Json, path: string, errors: FieldError[]): void {
  check(typeof object["name"] === "string", `${path}.name`, "must be a string", errors);
}

function optionalObject(parent: Json, field: string, path: string, errors: FieldError[]): Json {
  const value = parent[field] ?? {};
  return isObject(value, `${path}.${field}`, errors) ? value : {};
}

function eachObject(
  list: unknown,
  path: string,
  errors: FieldError[],
  visit: (object: Json, path: string) => void,
): void {
  if (list === undefined || list === null) return;
  if (!Array.isArray(list)) return check(false, path, "must be a list", errors);
  list.forEach((entry: unknown, index) => {
    const at = `${path}[${index}]`;
    if (isObject(entry, at, errors)) visit(entry, at);
  });
}

function isObject(value: unknown, path: string, errors: FieldError[]): value is Json {
  const isIt = typeof value === "object" && value !== null && !Array.isArray(value);
  check(isIt, path, "must be a mapping", errors);
  return isIt;
}

function check(holds: boolean, path: string, message: string, errors: FieldError[]): void {
  if (!holds) errors.push({ path, message });
}
