/** Injection's configuration from the installer of the mesh: the ConfigMap `tulle-injection`, or nothing for the defaults. */

import { readFile } from "node:fs/promises";
import { parse } from "yaml";
import { err, type FieldError, ok, type Result } from "../../model/result.ts";
import { version } from "../../system/version.ts";
import { checkSettings, defaultSettings, type ProxySettings } from "./annotations.ts";

export interface InjectionConfig {
  /** The control plane's namespace; its own pods get no sidecar. */
  readonly namespace: string;
  /** The host that sidecars dial, or several, separated by commas. */
  readonly controlPlane: string;
  readonly trustDomain: string;
  readonly images: { readonly sidecar: string; readonly init: string; readonly pullPolicy: string };
  /**
   * Where sidecars send traces; an empty endpoint means nowhere. The protocol is a value of OTEL_EXPORTER_OTLP_PROTOCOL that
   * sidecars support.
   */
  readonly tracing: { readonly endpoint: string; readonly protocol: string };
  /** The minor version: the `29` of 1.29. */
  readonly kubernetesMinor: number;
  readonly proxyVersion: string;
  /** The settings of pods that don't override them. */
  readonly defaults: ProxySettings;
}

export const defaultInjectionConfig: InjectionConfig = {
  namespace: "tulle-system",
  controlPlane: "tulle-control-plane.tulle-system.svc.cluster.local",
  trustDomain: "cluster.local",
  images: { sidecar: `tulle/sidecar:${version}`, init: `tulle/init:${version}`, pullPolicy: "IfNotPresent" },
  tracing: { endpoint: "", protocol: "http/protobuf" },
  kubernetesMinor: 30,
  proxyVersion: version,
  defaults: defaultSettings,
};

type Json = Readonly<Record<string, unknown>>;

/** Reads YAML; absent: the defaults. Rejects with a one-line error that names the file and the field. */
export async function readInjectionFile(path: string | undefined): Promise<InjectionConfig> {
  if (path === undefined) return defaultInjectionConfig;
  const config = readInjectionConfig(parse(await readFile(path, "utf8")));
  if (config.ok) return config.value;
  throw new Error(config.error.map((error) => `${path} ${error.path}: ${error.message}`).join("; "));
}

/**
 * Every field is optional. An unknown field, a value of another type than its default, or a setting that no pod could have, is
 * an error that names it.
 */
export function readInjectionConfig(value: unknown): Result<InjectionConfig, FieldError[]> {
  const errors: FieldError[] = [];
  const config = merge(defaultInjectionConfig as unknown as Json, value ?? {}, "", errors);
  if (errors.length > 0) return err(errors);
  const read = config as unknown as InjectionConfig;
  const wrong = checkSettings(read.defaults);
  return wrong.length === 0 ? ok(read) : err(wrong.map((error) => ({ ...error, path: `defaults.${error.path}` })));
}

function merge(base: Json, over: unknown, path: string, errors: FieldError[]): Json {
  if (!isObject(over)) {
    errors.push({ path, message: "must be a mapping" });
    return base;
  }
  const merged: Record<string, unknown> = { ...base };
  for (const [field, value] of Object.entries(over)) {
    const at = path === "" ? field : `${path}.${field}`;
    const usual = Object.hasOwn(base, field) ? base[field] : undefined;
    if (isObject(usual)) merged[field] = merge(usual, value, at, errors);
    else if (usual === undefined) errors.push({ path: at, message: "unknown field" });
    else if (typeOf(value) !== typeOf(usual))
      errors.push({ path: at, message: `must be a ${typeOf(usual)}, got ${JSON.stringify(value)}` });
    else merged[field] = value;
  }
  return merged;
}

function typeOf(value: unknown): string {
  return Array.isArray(value) ? "list" : typeof value;
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
