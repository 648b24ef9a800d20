import type { MeshView } from "../mesh-view.ts";
import { Calls } from "./calls.tsx";
import { Certificates } from "./certificates.tsx";
import { Policies } from "./policies.tsx";
import { Splits } from "./splits.tsx";
import { Traces } from "./traces.tsx";

/** All there is of one Service or workload: who calls it, whom it calls, what is in force for it, who it is. */
export function Service({ view, name }: { readonly view: MeshView; readonly name: string }) {
  const concerns = (...names: readonly string[]): boolean => names.includes(name);
  const edges = view.edges.filter(({ from, service, backend }) => concerns(from, service, backend));
  const breakers = view.breakers.filter(({ from, backend }) => concerns(from, serviceOf(backend)));
  const splits = view.splits.filter(({ service, backends }) =>
    concerns(service, ...backends.map((backend) => backend.service)),
  );
  const policies = view.policies.filter(({ subjects }) => concerns(...subjects));
  const sidecars = view.sidecars.filter(({ workload }) => concerns(workload));
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
