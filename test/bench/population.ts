/**
 * A large cluster that exists only as objects: Services with their EndpointSlices and pods, as the API server would have stored
 * them.
 */

import type { StoredObject } from "../cluster/etcd.ts";

export interface Population {
  readonly services: number;
  /** The number of endpoints per Service. */
  readonly endpoints: number;
  /** This many of the Services, the first ones, have pods with sidecars. */
  readonly meshedServices: number;
}

const namespaces = 100;
export const servicePort = 80;
const targetPort = 8080;
const nodes = 500;
const zones = 3;
const createdAt = "2026-01-01T00:00:00Z";

export interface ServiceName {
  readonly namespace: string;
  readonly name: string;
}

export function serviceName(index: number): ServiceName {
  return { namespace: `load-${index % namespaces}`, name: `svc-${index}` };
}

export function sliceName({ name }: ServiceName): string {
  return `${name}-slice`;
}

export function* population({ services, endpoints, meshedServices }: Population): Generator<StoredObject> {
  for (let index = 0; index < Math.min(namespaces, services); index++) {
    const name = `load-${index}`;
    const metadata = { ...meta({ namespace: "", name }), namespace: undefined };
    const object = { apiVersion: "v1", kind: "Namespace", metadata, spec: { finalizers: ["kubernetes"] } };
    yield { key: `namespaces/${name}`, object: { ...object, status: { phase: "Active" } } };
  }
  for (let index = 0; index < services; index++) {
    yield* serviceObjects(index);
    yield sliceObject(index, endpoints);
    for (let place = 0; place < endpoints; place++) yield podObject(index, place, endpoints, index < meshedServices);
  }
}

/** Includes the object that reserves the Service's address: the server's own controllers look for it. */
function* serviceObjects(index: number): Generator<StoredObject> {
  const service = serviceName(index);
  const { namespace, name } = service;
  const clusterIP = `10.96.${(index >> 8) + 1}.${index & 255}`;
  const spec = {
    clusterIP,
    clusterIPs: [clusterIP],
    type: "ClusterIP",
    sessionAffinity: "None",
    ipFamilies: ["IPv4"],
    ipFamilyPolicy: "SingleStack",
    internalTrafficPolicy: "Cluster",
    selector: { app: name },
    ports: [{ name: "http", protocol: "TCP", port: servicePort, targetPort }],
  };
  const object = { apiVersion: "v1", kind: "Service", metadata: meta(service), spec, status: { loadBalancer: {} } };
  yield { key: `services/specs/${namespace}/${name}`, object };
  const labels = {
    "ipaddress.kubernetes.io/ip-family": "IPv4",
    "ipaddress.kubernetes.io/managed-by": "ipallocator.k8s.io",
  };
  const parentRef = { group: "", resource: "services", namespace, name };
  const metadata = { ...meta({ namespace: "", name: clusterIP }), namespace: undefined, labels };
  const address = { apiVersion: "networking.k8s.io/v1", kind: "IPAddress", metadata, spec: { parentRef } };
  yield { key: `ipaddresses/${clusterIP}`, object: address };
}

function sliceObject(index: number, endpoints: number): StoredObject {
  const service = serviceName(index);
  const { namespace, name } = service;
  const slice = { namespace, name: sliceName(service) };
  const labels = {
    "kubernetes.io/service-name": name,
    "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
  };
  return {
    key: `endpointslices/${namespace}/${slice.name}`,
    object: {
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      metadata: { ...meta(slice), labels },
      addressType: "IPv4",
      ports: [{ name: "http", protocol: "TCP", port: targetPort }],
      endpoints: Array.from({ length: endpoints }, (_, place) => {
        const pod = podName(service, place);
        const ordinal = index * endpoints + place;
        return {
          addresses: [podIp(ordinal)],
          conditions: { ready: true, serving: true, terminating: false },
          nodeName: nodeOf(ordinal),
          zone: `zone-${ordinal % zones}`,
          targetRef: { kind: "Pod", ...pod, uid: uidOf(pod) },
        };
      }),
    },
  };
}

function podObject(index: number, place: number, endpoints: number, meshed: boolean): StoredObject {
  const service = serviceName(index);
  const pod = podName(service, place);
  const ordinal = index * endpoints + place;
  const { name: app } = service;
  const annotations = { "tulle.dev/proxy-version": "0.1.0", "tulle.dev/workload": app };
  const always = { image: "registry.example/app:1.0.0", imagePullPolicy: "IfNotPresent", resources: {} };
  const ip = podIp(ordinal);
  return {
    key: `pods/${pod.namespace}/${pod.name}`,
    object: {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { ...meta(pod), labels: { app, "pod-template-hash": "7d4b9c5f6" }, ...(meshed && { annotations }) },
      spec: {
        serviceAccountName: app,
        nodeName: nodeOf(ordinal),
        restartPolicy: "Always",
        ...(meshed && { initContainers: [{ name: "tulle-sidecar", restartPolicy: "Always", ...always }] }),
        containers: [{ name: "app", ports: [{ name: "http", containerPort: targetPort, protocol: "TCP" }], ...always }],
      },
      status: {
        phase: "Running",
        podIP: ip,
        podIPs: [{ ip }],
        conditions: ["Initialized", "Ready", "ContainersReady", "PodScheduled"].map((type) => {
          return { type, status: "True", lastTransitionTime: createdAt };
        }),
      },
    },
  };
}

function podName({ namespace, name }: ServiceName, place: number): ServiceName {
  return { namespace, name: `${name}-7d4b9c5f6-${String(place).padStart(5, "x")}` };
}

function podIp(ordinal: number): string {
  return `10.${128 + (ordinal >> 16)}.${(ordinal >> 8) & 255}.${ordinal & 255}`;
}

function nodeOf(ordinal: number): string {
  return `node-${ordinal % nodes}.example.internal`;
}

function meta({ namespace, name }: ServiceName) {
  return { namespace, name, uid: uidOf({ namespace, name }), creationTimestamp: createdAt };
}

/** As long as a real UID. */
function uidOf({ namespace, name }: ServiceName): string {
  const hex = Buffer.from(`${name}/${namespace}`).toString("hex").padEnd(32, "0").slice(0, 32);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
