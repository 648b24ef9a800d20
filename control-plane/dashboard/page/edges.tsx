import { useState } from "preact/hooks";
import type { MeshView } from "../mesh-view.ts";
import { formatMs, formatRate, formatShare, healthOf } from "./format.ts";

/** Beyond it nobody reads on, and drawing them anew every two seconds would cost the reader's machine. */
const mostRows = 200;

/** Every edge with its figures; a filter, because there may be thousands. */
export function Edges({ edges, latencies, breakers }: Pick<MeshView, "edges" | "latencies" | "breakers">) {
  const [filter, setFilter] = useState("");
  const shown = edges.filter(({ from, service, backend }) => `${from} ${service} ${backend}`.includes(filter.trim()));
  const latencyOf = new Map(latencies.map((latency) => [latency.service, latency]));
  return (
    <section id="edges" aria-labelledby="edges-title">
      <h2 id="edges-title">Edges</h2>
      <label class="filter">
        Filter{" "}
        <input
          type="search"
          value={filter}
          placeholder="shop/orders"
          onInput={({ currentTarget }) => setFilter(currentTarget.value)}
        />
      </label>
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
            </tr>
          </thead>
          <tbody>
            {shown.slice(0, mostRows).map(({ from, service, backend, requestsPerSecond, successShare }) => (
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
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {shown.length > mostRows && (
        <p class="empty">
          {shown.length - mostRows} more of {shown.length}: the filter narrows them.
        </p>
      )}
      {shown.length === 0 && <p class="empty">{edges.length === 0 ? "No requests." : "None of that name."}</p>}
      {breakers.length > 0 && (
        <>
          <h3>Breakers that are not closed</h3>
          <ul>
            {breakers.map(({ from, backend, endpoint, state }) => (
              <li key={`${from} ${endpoint}`}>
                <strong class="bad">{state}</strong>: {from} to {endpoint} of {backend}
              </li>
            ))}
          </ul>
        </>
      )}
    </section>
  );
}
