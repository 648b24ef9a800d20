/** What the mesh reads of a Service. */

import type { FieldError, Result } from "../../model/result.ts";
import { err, ok } from "../../model/result.ts";
import { describe, isDnsLabel, type KubeObject } from "../source/kube-object.ts";
import { Fields } from "./fields.ts";

export interface Service {
  readonly namespace: string;
  readonly name: string;
  /** Pods that carry all of these labels are its endpoints; empty: it selects none. */
  readonly selector: ReadonlyMap<string, string>;
  /** `ExternalName`: an alias in DNS, no Service of this mesh. */
  readonly type: "ClusterIP" | "NodePort" | "LoadBalancer" | "ExternalName";
  /** Only TCP ports, in the order of the Service. */
  readonly ports: readonly ServicePort[];
  readonly publishNotReadyAddresses: boolean;
}

export interface ServicePort {
  readonly port: number;
  readonly name?: string;
  /** The container port by number, or by name and then possibly another one in each pod. */
  readonly targetPort: number | string;
  readonly appProtocol?: string;
}

const serviceTypes = ["ClusterIP", "NodePort", "LoadBalancer", "ExternalName"] as const;

export function readService(object: KubeObject): Result<Service, FieldError[]> {
  const errors: FieldError[] = [];
  const spec = new Fields(object.spec, "spec", errors);
  const typeName = spec.string("type") ?? "ClusterIP";
  const type = serviceTypes.find((known) => known === typeName);
  if (type === undefined) spec.refuse("type", `must be one of ${serviceTypes.join(", ")}`, typeName);
  const { namespace, name } = object.metadata;
  if (!isDnsLabel(name)) errors.push({ path: "metadata.name", message: `must be a DNS label, got ${describe(name)}` });
  const service: Service = {
    namespace,
    name,
    selector: spec.stringMap("selector"),
    type: type ?? "ClusterIP",
    ports: readPorts(spec.children("ports")),
    publishNotReadyAddresses: spec.boolean("publishNotReadyAddresses") ?? false,
  };
  return errors.length === 0 ? ok(service) : err(errors);
}

function readPorts(list: readonly Fields[]): ServicePort[] {
  const ports = new Map<number, ServicePort>();
  for (const fields of list) {
    const port = readPort(fields);
    if (port === undefined) continue;
    if (ports.has(port.port)) fields.refuse("port", "must be given once per protocol", port.port);
    else ports.set(port.port, port);
  }
  return [...ports.values()];
}

/** Undefined: not TCP. */
function readPort(fields: Fields): ServicePort | undefined {
  const port = fields.integer("port", 1, 65_535);
  if (port === undefined && !fields.has("port")) fields.refuse("port", "must be given", undefined);
  const name = fields.string("name");
  const targetPort = fields.portOrName("targetPort") ?? port ?? 0;
  const appProtocol = fields.string("appProtocol");
  if ((fields.string("protocol") ?? "TCP") !== "TCP") return undefined;
  return {
    port: port ?? 0,
    ...(name === undefined ? {} : { name }),
    targetPort,
    ...(appProtocol === undefined ? {} : { appProtocol }),
  };
}
