import type { MeshView } from "../mesh-view.ts";
import { formatRate, formatShare } from "./format.ts";

/** The whole mesh in four figures. */
export function Summary({ view }: { readonly view: MeshView }) {
  const { edges, breakers, sidecars, problems } = view;
  const rate = edges.reduce((sum, { requestsPerSecond }) => sum + requestsPerSecond, 0);
  const good = edges.reduce((sum, { requestsPerSecond, successShare }) => sum + requestsPerSecond * successShare, 0);
  const open = breakers.filter(({ state }) => state === "open").length;
  const figures: readonly (readonly [label: string, figure: string, health?: string])[] = [
    ["Requests", formatRate(rate)],
    ["Success", rate === 0 ? "no traffic" : formatShare(good / rate)],
    ["Open breakers", `${open}`, open > 0 ? "bad" : "good"],
    ["Sidecars", `${sidecars.length}`],
    ["Problems", `${problems.length}`, problems.length > 0 ? "poor" : "good"],
  ];
  return (
    <dl class="summary" aria-label="Summary">
      {figures.map(([label, figure, health = ""]) => (
        <div key={label} class={health}>
          <dt>{label}</dt>
          <dd>{figure}</dd>
        </div>
      ))}
    </dl>
  );
}
