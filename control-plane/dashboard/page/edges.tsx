import type { MeshView } from "../mesh-view.ts";
import { formatMs, formatMutualTls, formatRate, formatShare, healthOf } from "./format.ts";
import { cut, Filter } from "./narrowed.tsx";

interface EdgesProps extends Pick<MeshView, "edges" | "latencies" | "breakers"> {
  /** The text in the filter; the edges are those that match it. */
  readonly wanted: string;
  readonly onWanted: (wanted: string) => void;
}

/** Edges with their figures, and their filter. */
export function Edges({ edges, latencies, breakers, wanted, onWanted }: EdgesProps) {
  const { shown, rest } = cut(edges);
  const open = cut(breakers);
  const latencyOf = new Map(latencies.map((latency) => [latency.service, latency]));
  return (
    <section id="edges" aria-labelledby="edges-title">
      <h2 id="edges-title">Edges</h2>
      <Filter label="Filter" placeholder="shop/orders" value={wanted} onChange={onWanted} />
      <div class="wide" tabIndex={0} role="region" aria-label="Table of edges">
        <table>
          <caption>Requests of the last ten seconds, as the callers' sidecars counted them</caption>
          <thead>
            <tr>
              <th scope="col">From</th>
              <th scope="col">Service</th>
              <th scope="col">Backend</th>
              <th scope="col" class="figure">
                Requests
              </th>
              <th scope="col" class="figure">
                Success
              </th>
              <th scope="col" class="figure">
                p50
              </th>
              <th scope="col" class="figure">
                p99
              </th>
              <th scope="col">mTLS</th>
            </tr>
          </thead>
          <tbody>
            {shown.map(({ from, service, backend, requestsPerSecond, successShare, mutualTlsShare }) => (
              <tr key={`${from} ${service} ${backend}`}>
                <th scope="row">
                  <a href={`#/service/${from}`}>{from}</a>
                </th>
                <td>
                  <a href={`#/service/${service}`}>{service}</a>
                </td>
                <td>{backend === "" ? "nobody reached" : backend}</td>
                <td class="figure">{formatRate(requestsPerSecond)}</td>
                <td class={`figure ${healthOf(successShare)}`}>{formatShare(successShare)}</td>
                <td class="figure">{latencyOf.has(service) ? formatMs(latencyOf.get(service)?.p50Ms) : "–"}</td>
                <td class="figure">{latencyOf.has(service) ? formatMs(latencyOf.get(service)?.p99Ms) : "–"}</td>
                <td class={mutualTlsShare !== undefined && mutualTlsShare < 1 ? "poor" : ""}>
                  {formatMutualTls(mutualTlsShare)}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {rest}
      {shown.length === 0 && <p class="empty">{wanted === "" ? "No requests." : "None of that name."}</p>}
      {breakers.length > 0 && (
        <>
          <h3>Breakers that are not closed</h3>
          <ul>
            {open.shown.map(({ from, backend, endpoint, state }) => (
              <li key={`${from} ${backend} ${endpoint}`}>
                <strong class="bad">{state}</strong>: {from} to {endpoint} of {backend}
              </li>
            ))}
          </ul>
          {open.rest}
        </>
      )}
    </section>
  );
}
