/** What the mesh reads of a Service. */

import type { FieldError, Result } from "../../model/result.ts";
import { err, ok } from "../../model/result.ts";
import type { KubeObject } from "../source/kube-object.ts";
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
  const service: Service = {
    namespace: object.metadata.namespace,
    name: object.metadata.name,
    selector: spec.stringMap("selector"),
    type: type ?? "ClusterIP",
    ports: spec.children("ports").flatMap((port) => readPort(port) ?? []),
    publishNotReadyAddresses: spec.boolean("publishNotReadyAddresses") ?? false,
  };
  return errors.length === 0 ? ok(service) : err(errors);
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
