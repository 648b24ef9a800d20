/** How resources are called: as an application dials them, in full. */

import type { ServiceRef } from "../../model/resources.ts";

/** What the names of a mesh have in common. */
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
