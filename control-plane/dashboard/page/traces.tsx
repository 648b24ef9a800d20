import type { MeshView } from "../mesh-view.ts";
import { formatMs, formatRate } from "./format.ts";

/** The traces that sidecars reported lately, and the workloads that lose traces on the way. */
export function Traces({ traces, lost }: Pick<MeshView, "traces" | "lost">) {
  return (
    <section id="traces" aria-labelledby="traces-title">
      <h2 id="traces-title">Traces</h2>
      {lost.map(({ workload, requestsPerSecond }) => (
        <p key={workload} class="poor">
          {workload} makes {formatRate(requestsPerSecond)} requests without the trace of what it serves: it may not pass{" "}
          <code>traceparent</code> on.
        </p>
      ))}
      {traces.length === 0 ? (
        <p class="empty">No trace was recorded lately.</p>
      ) : (
        <div class="wide" tabIndex={0} role="region" aria-label="Table of traces">
          <table>
            <caption>The newest that were recorded, errors of the mesh among them</caption>
            <thead>
              <tr>
                <th scope="col">Request</th>
                <th scope="col">From</th>
                <th scope="col">Through</th>
                <th scope="col" class="figure">
                  Spans
                </th>
                <th scope="col" class="figure">
                  Took
                </th>
                <th scope="col">Began</th>
              </tr>
            </thead>
            <tbody>
              {traces.map(({ id, name, workload, workloads, spans, durationMs, startMs, failed }) => (
                <tr key={id}>
                  <th scope="row">
                    <a href={`#/trace/${id}`}>{name}</a> {failed && <strong class="bad">failed</strong>}
                  </th>
                  <td>{workload}</td>
                  <td>{workloads.join(", ")}</td>
                  <td class="figure">{spans}</td>
                  <td class="figure">{formatMs(durationMs)}</td>
                  <td>{new Date(startMs).toLocaleTimeString()}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}
