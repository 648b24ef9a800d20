import type { MeshView } from "../mesh-view.ts";
import { curveBetween, type Point } from "./curve.ts";
import { formatMutualTls, formatRate, formatShare, healthOf, jointShare } from "./format.ts";
import { type Arrow, layersOf } from "./layers.ts";

const nodeWidth = 168;
const nodeHeight = 40;
const columnGap = 150;
/** Room for a node's calls of itself. */
const rowGap = 26;
const margin = 20;
/** More could not be drawn legibly. */
const maxNodes = 80;

interface DrawnEdge extends Arrow {
  readonly requestsPerSecond: number;
  readonly successShare: number;
  readonly mutualTlsShare: number | undefined;
}

/** Who calls whom, now; if there are too many, by namespace. The table below shows the same in words. */
export function Topology({ edges, breakers }: Pick<MeshView, "edges" | "breakers">) {
  const workloads = nodesOf(edges, itself);
  const nameOf = workloads <= maxNodes ? itself : namespaceOf;
  const isTooMuch = nodesOf(edges, nameOf) > maxNodes;
  const drawn = isTooMuch ? [] : drawnEdges(edges, nameOf);
  return (
    <section id="topology" aria-labelledby="topology-title">
      <h2 id="topology-title">Topology</h2>
      {edges.length === 0 && <p class="empty">Nothing to draw.</p>}
      {workloads > maxNodes && (
        <p class="empty">
          {workloads} workloads:{" "}
          {isTooMuch ? "too many to draw. The table has them all." : "drawn by namespace. The filter leaves fewer."}
        </p>
      )}
      {drawn.length > 0 && <Graph columns={layersOf(drawn)} edges={drawn} broken={brokenBackends(breakers, nameOf)} />}
    </section>
  );
}

type NameOf = (workload: string) => string;

const itself: NameOf = (workload) => workload;
const namespaceOf: NameOf = (workload) => workload.split("/", 1)[0] ?? "";

/** An edge ends at the backend that answered, or, if none was reached, at the Service. */
function endOf({ service, backend }: MeshView["edges"][number]): string {
  return backend === "" ? service : backend;
}

function nodesOf(edges: MeshView["edges"], nameOf: NameOf): number {
  return new Set(edges.flatMap((edge) => [nameOf(edge.from), nameOf(endOf(edge))])).size;
}

function drawnEdges(edges: MeshView["edges"], nameOf: NameOf): DrawnEdge[] {
  const sums = new Map<string, { from: string; to: string; rate: number; good: number; share: number | undefined }>();
  for (const edge of edges) {
    const { requestsPerSecond, successShare, mutualTlsShare } = edge;
    const [from, to] = [nameOf(edge.from), nameOf(endOf(edge))];
    const sum = sums.get(`${from} ${to}`) ?? { from, to, rate: 0, good: 0, share: undefined };
    sum.share = jointShare(sum, { rate: requestsPerSecond, share: mutualTlsShare });
    sum.rate += requestsPerSecond;
    sum.good += requestsPerSecond * successShare;
    sums.set(`${from} ${to}`, sum);
  }
  return [...sums.values()].map(({ from, to, rate, good, share }) => ({
    from,
    to,
    requestsPerSecond: rate,
    successShare: rate === 0 ? 1 : good / rate,
    mutualTlsShare: share,
  }));
}

type BreakerState = MeshView["breakers"][number]["state"];

/** The worst state by `shop/catalog-v1` for each `catalog-v1.shop.svc.cluster.local:80`, or by the node that represents it. */
function brokenBackends(breakers: MeshView["breakers"], nameOf: NameOf): ReadonlyMap<string, BreakerState> {
  const broken = new Map<string, BreakerState>();
  for (const { backend, state } of breakers) {
    const [service = "", namespace = ""] = backend.split(".");
    const name = nameOf(`${namespace}/${service}`);
    if (!broken.has(name) || state === "open") broken.set(name, state);
  }
  return broken;
}

interface GraphProps {
  readonly columns: readonly (readonly string[])[];
  readonly edges: readonly DrawnEdge[];
  readonly broken: ReadonlyMap<string, BreakerState>;
}

function Graph({ columns, edges, broken }: GraphProps) {
  const tallest = Math.max(...columns.map(({ length }) => length));
  const width = columns.length * (nodeWidth + columnGap) - columnGap + 2 * margin;
  const height = tallest * (nodeHeight + rowGap) - rowGap + 2 * margin;
  const places = new Map<string, Point>();
  for (const [column, names] of columns.entries()) {
    const top = margin + ((tallest - names.length) * (nodeHeight + rowGap)) / 2;
    for (const [row, name] of names.entries()) {
      places.set(name, { x: margin + column * (nodeWidth + columnGap), y: top + row * (nodeHeight + rowGap) });
    }
  }
  const label = `${places.size} nodes and ${edges.length} edges between them; the table of edges has the figures`;
  return (
    <div class="graph" tabIndex={0} role="region" aria-label="Drawing of the topology">
      <svg viewBox={`0 0 ${width} ${height}`} width={width} height={height} role="img" aria-label={label}>
        {edges.map((edge) => (
          <Line key={`${edge.from} ${edge.to}`} edge={edge} places={places} />
        ))}
        {[...places].map(([name, { x, y }]) => (
          <g key={name} class={broken.has(name) ? "node broken" : "node"} transform={`translate(${x} ${y})`}>
            <rect width={nodeWidth} height={nodeHeight} rx={6} />
            <text x={nodeWidth / 2} y={nodeHeight / 2}>
              {broken.has(name) ? `${short(name)} ⚡` : short(name)}
            </text>
            <title>{broken.has(name) ? `${name}: a circuit breaker is ${broken.get(name)}` : name}</title>
          </g>
        ))}
      </svg>
    </div>
  );
}

function Line({ edge, places }: { readonly edge: DrawnEdge; readonly places: ReadonlyMap<string, Point> }) {
  const from = places.get(edge.from);
  const to = places.get(edge.to);
  if (from === undefined || to === undefined) return null;
  const wire = wireOf(edge.mutualTlsShare);
  const figures = `${formatRate(edge.requestsPerSecond)} ${formatShare(edge.successShare)}${wire && ` ${wire}`}`;
  const health = healthOf(edge.successShare);
  if (edge.from === edge.to) {
    return (
      <g class={`edge ${health}`}>
        <text x={from.x + nodeWidth / 2} y={from.y + nodeHeight + 10}>
          itself: {figures}
        </text>
      </g>
    );
  }
  const { path, label } = curveBetween(
    { x: from.x + nodeWidth, y: from.y + nodeHeight / 2 },
    { x: to.x, y: to.y + nodeHeight / 2 },
  );
  return (
    <g class={`edge ${health}`}>
      <path d={path} stroke-width={1 + Math.min(Math.log10(1 + edge.requestsPerSecond), 4)} />
      <text x={label.x} y={label.y}>
        {figures}
      </text>
      <title>{`${edge.from} to ${edge.to}: ${figures}, mTLS: ${formatMutualTls(edge.mutualTlsShare)}`}</title>
    </g>
  );
}

/** `plaintext` if anything is in the clear; empty: unknown. A word, because not every machine has a font with locks. */
function wireOf(mutualTlsShare: number | undefined): string {
  if (mutualTlsShare === undefined) return "";
  return mutualTlsShare === 1 ? "mTLS" : "plaintext";
}

function short(name: string): string {
  return name.length > 22 ? `${name.slice(0, 21)}…` : name;
}
