import type { MeshView } from "../mesh-view.ts";
import { Calls } from "./calls.tsx";
import { Certificates } from "./certificates.tsx";
import { Policies } from "./policies.tsx";
import { Splits } from "./splits.tsx";
import { Traces } from "./traces.tsx";

/**
 * Everything about one Service or workload, about the backends that it is split to, and about the workloads behind those,
 * whatever their names: calls, policies, traces, identities.
 */
export function Service({ view, name }: { readonly view: MeshView; readonly name: string }) {
  const backends = view.splits.filter(({ service }) => service === name).flatMap((split) => split.backends);
  const services = new Set([name, ...backends.map(({ service }) => service)]);
  const sidecars = view.sidecars.filter((sidecar) =>
    [sidecar.workload, ...sidecar.services].some((one) => services.has(one)),
  );
  const subjects = new Set([...services, ...sidecars.map(({ workload }) => workload)]);
  const concerns = (...names: readonly string[]): boolean => names.some((one) => subjects.has(one));
  const edges = view.edges.filter(({ from, service, backend }) => concerns(from, service, backend));
  const breakers = view.breakers.filter(({ from, backend }) => concerns(from, serviceOf(backend)));
  const splits = view.splits.filter(({ service, backends }) =>
    concerns(service, ...backends.map((backend) => backend.service)),
  );
  const policies = view.policies.filter(({ subjects }) => concerns(...subjects));
  const traces = view.traces.filter(({ workloads }) => concerns(...workloads));
  const lost = view.lost.filter(({ workload }) => concerns(workload));
  return (
    <>
      <h2 class="subject">{name}</h2>
      <Calls edges={edges} latencies={view.latencies} breakers={breakers} />
      <Splits splits={splits} />
      <Policies policies={policies} problems={[]} />
      <Traces traces={traces} lost={lost} />
      <Certificates sidecars={sidecars} />
    </>
  );
}

/** `shop/catalog` for `catalog.shop.svc.cluster.local:80`. */
function serviceOf(backend: string): string {
  const [service = "", namespace = ""] = backend.split(".");
  return `${namespace}/${service}`;
}
