/**
 * What `tulle dev` runs: the Deployments among a folder's objects. It reads no other kind; those are for the control
 * plane. Fields that mean nothing outside a cluster (resources, volumes, affinity …) are ignored, like unknown fields of a
 * newer API.
 */

import { describe, fieldPath, isRecord, type KubeObject } from "../../control-plane/source/kube-object.ts";
import { err, type FieldError, ok, type Result } from "../../model/result.ts";
import { parseUpstreams } from "../../model/upstream.ts";

export const annotations = {
  /** A shell command line that does on this machine what the container's image does in a cluster. */
  command: "tulle.dev/dev-command",
  /** `service:port=127.0.0.1:port, …`: listeners of the sidecar for programs without proxy support. */
  upstreams: "tulle.dev/upstreams",
} as const;

export interface DevDeployment {
  readonly namespace: string;
  readonly name: string;
  readonly replicas: number;
  readonly template: PodTemplate;
}

/** Equal by content: a Deployment's pods are replaced when it changes. */
export interface PodTemplate {
  readonly command: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly serviceAccount: string;
  /** The ports of all containers; the application's first port comes first. */
  readonly ports: readonly ContainerPort[];
  readonly env: readonly EnvironmentEntry[];
  readonly readiness?: Readiness;
  /** How long a pod may take to terminate before it is killed. */
  readonly graceMs: number;
}

export interface ContainerPort {
  readonly containerPort: number;
  readonly name?: string;
  readonly appProtocol?: string;
  readonly protocol?: string;
}

/** A value, or the pod's field that supplies it (`valueFrom.fieldRef.fieldPath`). */
export type EnvironmentEntry =
  | { readonly name: string; readonly value: string }
  | { readonly name: string; readonly field: string };

export interface Readiness {
  readonly check:
    | { readonly kind: "tcp"; readonly port: number }
    | { readonly kind: "http"; readonly port: number; readonly path: string };
  readonly periodMs: number;
  readonly timeoutMs: number;
  readonly failureThreshold: number;
}

type Fields = Readonly<Record<string, unknown>>;

const maxReplicas = 100_000;

export function isDeployment(object: KubeObject): boolean {
  return object.kind === "Deployment" && object.apiVersion === "apps/v1";
}

/** Reads one Deployment; every field that `tulle dev` can't work with is an error. */
export function readDeployment(object: KubeObject): Result<DevDeployment, readonly FieldError[]> {
  const errors: FieldError[] = [];
  const spec = fields(object.spec);
  const { namespace, name } = object.metadata;
  const replicas = spec["replicas"] ?? 1;
  const template = readTemplate(fields(spec["template"]), errors);
  if (!isCount(replicas) || replicas > maxReplicas) {
    // Same wording as the control plane, which reports it too: so it counts as one problem.
    const message = `must be a whole number from 0 to ${maxReplicas}, got ${describe(replicas)}`;
    return err([{ path: "spec.replicas", message }, ...errors]);
  }
  return errors.length > 0 ? err(errors) : ok({ namespace, name, replicas, template });
}

function readTemplate(template: Fields, errors: FieldError[]): PodTemplate {
  const metadata = fields(template["metadata"]);
  const spec = fields(template["spec"]);
  const notes = strings(metadata["annotations"]);
  const command = notes[annotations.command];
  if (command === undefined)
    errors.push({
      path: fieldPath("spec.template.metadata.annotations", annotations.command),
      message: "is required: the command that starts this container as a process, for example: node server.ts",
    });
  const upstreams = parseUpstreams(notes[annotations.upstreams] ?? "");
  if (!upstreams.ok)
    errors.push({
      path: fieldPath("spec.template.metadata.annotations", annotations.upstreams),
      message: upstreams.error,
    });
  const containers = list(spec["containers"]).map(fields);
  const ports = containers.flatMap((container, index) => readPorts(container, index, errors));
  const application = containers[0] ?? {};
  const readiness = readReadiness(application, ports, errors);
  return {
    command: command ?? "",
    labels: strings(metadata["labels"]),
    annotations: notes,
    serviceAccount: text(spec["serviceAccountName"]) ?? "default",
    ports,
    env: list(application["env"]).flatMap((entry, index) => readEnvironment(fields(entry), index, errors)),
    ...(readiness === undefined ? {} : { readiness }),
    graceMs: seconds(spec["terminationGracePeriodSeconds"], 30),
  };
}

function readPorts(container: Fields, index: number, errors: FieldError[]): readonly ContainerPort[] {
  const path = `spec.template.spec.containers[${index}].ports`;
  return list(container["ports"]).flatMap((port, at) => readPort(fields(port), `${path}[${at}]`, errors));
}

function readPort(given: Fields, path: string, errors: FieldError[]): readonly ContainerPort[] {
  const containerPort = given["containerPort"];
  if (!isPort(containerPort)) {
    const allowed = containerPort === undefined ? "must be given" : "must be a whole number from 1 to 65535";
    errors.push({ path: `${path}.containerPort`, message: `${allowed}, got ${describe(containerPort)}` });
    return [];
  }
  const name = text(given["name"]);
  const protocol = text(given["protocol"]);
  return [{ containerPort, ...(name === undefined ? {} : { name }), ...(protocol === undefined ? {} : { protocol }) }];
}

function readEnvironment(entry: Fields, index: number, errors: FieldError[]): readonly EnvironmentEntry[] {
  const path = `spec.template.spec.containers[0].env[${index}]`;
  const name = text(entry["name"]);
  if (name === undefined) {
    errors.push({ path: `${path}.name`, message: "is required" });
    return [];
  }
  const field = text(fields(fields(entry["valueFrom"])["fieldRef"])["fieldPath"]);
  if (field !== undefined) return [{ name, field }];
  if (entry["valueFrom"] !== undefined) {
    errors.push({ path: `${path}.valueFrom`, message: `only fieldRef is known here; give ${name} a value` });
    return [];
  }
  return [{ name, value: text(entry["value"]) ?? "" }];
}

/** The application's readinessProbe; exec and grpc probes are replaced by "its port accepts connections". */
function readReadiness(
  container: Fields,
  ports: readonly ContainerPort[],
  errors: FieldError[],
): Readiness | undefined {
  const probe = fields(container["readinessProbe"]);
  const http = fields(probe["httpGet"]);
  const asked = http["port"] ?? fields(probe["tcpSocket"])["port"] ?? ports[0]?.containerPort;
  if (asked === undefined) return undefined;
  const port = isPort(asked) ? asked : ports.find(({ name }) => name === asked)?.containerPort;
  if (port === undefined) {
    const message = `must be a port or the name of one of the container's, got ${describe(asked)}`;
    errors.push({ path: "spec.template.spec.containers[0].readinessProbe", message });
    return undefined;
  }
  const threshold = probe["failureThreshold"];
  return {
    check: "port" in http ? { kind: "http", port, path: text(http["path"]) ?? "/" } : { kind: "tcp", port },
    periodMs: seconds(probe["periodSeconds"], 10),
    timeoutMs: seconds(probe["timeoutSeconds"], 1),
    failureThreshold: isCount(threshold) && threshold > 0 ? threshold : 3,
  };
}

function seconds(value: unknown, fallback: number): number {
  return (typeof value === "number" && value > 0 ? value : fallback) * 1_000;
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0;
}

function isPort(value: unknown): value is number {
  return isCount(value) && value >= 1 && value <= 65_535;
}

function fields(value: unknown): Fields {
  return isRecord(value) ? value : {};
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function text(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function strings(value: unknown): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(fields(value)).filter((entry): entry is [string, string] => typeof entry[1] === "string"),
  );
}
