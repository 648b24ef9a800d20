/** The names of resources: the full names that applications dial. */

import type { ServiceRef } from "../../model/resources.ts";

/** The parts that all names of a mesh share. */
export interface MeshNames {
  /** The domain of Kubernetes' DNS, usually `cluster.local`. */
  readonly clusterDomain: string;
  /** The first part of every SPIFFE id, usually `cluster.local`. */
  readonly trustDomain: string;
}

/** `orders.shop.svc.cluster.local:80`: the name of a Destination and of the Endpoints behind it. */
export function servicePortName({ namespace, name }: ServiceRef, port: number, { clusterDomain }: MeshNames): string {
  return `${name}.${namespace}.svc.${clusterDomain}:${port}`;
}

/** `shop/orders`: the name of an Inbound. */
export function workloadName(namespace: string, name: string): string {
  return `${namespace}/${name}`;
}
