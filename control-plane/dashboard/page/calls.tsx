import { useState } from "preact/hooks";
import type { MeshView } from "../mesh-view.ts";
import { Edges } from "./edges.tsx";
import { Topology } from "./topology.tsx";

/** Who calls whom, as a drawing and as a table: one filter narrows both. */
export function Calls({ edges, latencies, breakers }: Pick<MeshView, "edges" | "latencies" | "breakers">) {
  const [wanted, setWanted] = useState("");
  const found = edges.filter(({ from, service, backend }) => `${from} ${service} ${backend}`.includes(wanted.trim()));
  return (
    <>
      <Topology edges={found} breakers={breakers} />
      <Edges edges={found} latencies={latencies} breakers={breakers} wanted={wanted} onWanted={setWanted} />
    </>
  );
}
