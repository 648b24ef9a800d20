/** The facts in a control plane's pipeline, over YAML or a cluster's objects. */

import { identityOf } from "../../control-plane/compile/endpoints.ts";
import { targetPort } from "../../control-plane/compile/target-port.ts";
import { selects } from "../../control-plane/index/pod.ts";
import type { Pipeline } from "../../control-plane/pipeline.ts";
import type { Destination, Endpoints, Route, WeightedBackend } from "../../model/resources.ts";
import type { MeshDomains } from "../folder-pipeline.ts";
import { thereAre } from "../known-names.ts";
import { UsageError } from "../usage-error.ts";
import { knownServers, type ServingPod } from "./known-servers.ts";
import type { KnownServer, MeshFacts, PolicyNames } from "./mesh-facts.ts";

export function pipelineFacts(pipeline: Pipeline, domains: MeshDomains): MeshFacts {
  const { snapshot } = pipeline;
  return {
    ...domains,
    destination(name): Destination | undefined {
      const resource = snapshot.get("destination", name)?.resource;
      return resource?.kind === "destination" ? resource.value : undefined;
    },
    unknown: (name) => `no Service for ${name}, so the mesh would not touch it`,
    destinations: () => snapshot.list("destination").map(({ name }) => name),
    endpoints(name): Endpoints | undefined {
      const resource = snapshot.get("endpoints", name)?.resource;
      return resource?.kind === "endpoints" ? resource.value : undefined;
    },
    identityOf(namespace, name) {
      const found = pipeline.index.workload(namespace, name);
      if (found !== undefined) return identityOf(found, domains);
      const there = pipeline.index.workloads().map((workload) => `${workload.namespace}/${workload.name}`);
      const wanted = `${namespace}/${name}`;
      throw new UsageError(`no workload ${wanted}; ${thereAre(there, wanted)}`);
    },
    policiesOf: (destination, route, port) => policiesOf(pipeline, destination, route, port),
    serversOf: (backend) => serversOf(pipeline, backend),
  };
}

/**
 * Same lookup as in the compile step: the policies of the route's rule, else of the route, else of the dialled Service port.
 */
function policiesOf({ index }: Pipeline, { service: dialled }: Destination, route: Route, number: number): PolicyNames {
  const service = index.service(dialled.namespace, dialled.name);
  const port = service?.ports.find((candidate) => candidate.port === number);
  if (service === undefined || port === undefined) return {};
  const rule = index
    .routesOf(service)
    .flatMap((gateway) =>
      gateway.rules.map((each, ruleNumber) => ({ gateway, name: each.name, shown: each.name ?? ruleNumber })),
    )
    .find(
      ({ gateway: { kind, namespace, name }, shown }) => route.name === `${kind} ${namespace}/${name} rule ${shown}`,
    );
  const nameOf = (kind: "RetryPolicy" | "TimeoutPolicy" | "FaultInjection" | "TelemetryPolicy") => {
    const ofRule = rule && index.routePolicyFor(kind, rule.gateway, rule.name);
    const policy = ofRule ?? index.policyFor(kind, service, port);
    return policy === undefined ? {} : { [kind]: `${policy.namespace}/${policy.name}` };
  };
  return {
    ...nameOf("RetryPolicy"),
    ...nameOf("TimeoutPolicy"),
    ...nameOf("FaultInjection"),
    ...nameOf("TelemetryPolicy"),
  };
}

function serversOf({ index, snapshot }: Pipeline, backend: WeightedBackend): KnownServer[] {
  const { namespace, name } = backend.service;
  const service = index.service(namespace, name);
  const number = Number(backend.endpoints.slice(backend.endpoints.lastIndexOf(":") + 1));
  const port = service?.ports.find((candidate) => candidate.port === number);
  if (service === undefined || port === undefined || service.selector.size === 0) return [];
  const serving = index
    .workloads()
    .filter((workload) => workload.namespace === namespace)
    .flatMap((workload) => {
      const pods = index.replicasOf(namespace, workload.name);
      // A workload scaled to zero is judged as its pods would be.
      return (pods.length > 0 ? pods : [workload]).map((pod) => ({ workload, pod }));
    })
    .filter(({ pod }) => selects(service.selector, pod.labels))
    .flatMap(({ workload, pod }): ServingPod[] => {
      const inbound = snapshot.get("inbound", `${namespace}/${workload.name}`, pod.name)?.resource;
      const target = targetPort(pod, port);
      if (inbound?.kind !== "inbound" || target === undefined) return [];
      return [{ pod: `${namespace}/${pod.name}`, port: target, inbound: inbound.value }];
    });
  return knownServers(serving);
}
