import { useState } from "preact/hooks";
import type { SpanView } from "../../traffic/trace-store.ts";
import { useFetched } from "./fetched.ts";
import { formatMs } from "./format.ts";
import { type Bar, waterfallOf } from "./waterfall.ts";

/** One trace, as a waterfall: each span by its start and duration, below the span that caused it. */
export function Trace({ id, spanCount }: { readonly id: string; readonly spanCount: number | undefined }) {
  const fetched = useFetched<readonly SpanView[]>(`/api/traces/${id}`, spanCount);
  return (
    <section aria-labelledby="trace-title">
      <h2 id="trace-title">Trace {id}</h2>
      <p class="words">Spans of sidecars; those of applications are where they export them.</p>
      {fetched.kind === "waiting" && <p class="empty">Looking it up…</p>}
      {fetched.kind === "gone" && <p class="empty">It is not known any more: only the newest are kept.</p>}
      {fetched.kind === "here" && (
        <ol class="waterfall">
          {waterfallOf(fetched.value).map((bar) => (
            <Row key={bar.span.id} bar={bar} />
          ))}
        </ol>
      )}
    </section>
  );
}

function Row({ bar: { span, depth, start, share } }: { readonly bar: Bar }) {
  const [open, setOpen] = useState(false);
  const attempt = span.attributes["tulle.attempt"];
  const what = `${span.name}${attempt === undefined ? "" : `, try ${attempt}`}`;
  return (
    <li>
      <button type="button" aria-expanded={open} onClick={() => setOpen(!open)}>
        <span class="span-name" style={{ paddingLeft: `calc(${Math.min(depth, 12)} * var(--step))` }}>
          {span.workload} <small>{span.kind}</small> {what}
          {span.failed && <strong class="bad"> {span.attributes["error.type"] ?? "failed"}</strong>}
        </span>
        <span class="span-bar" aria-hidden="true">
          <span
            class={span.failed ? "bar-failed" : `bar-${span.kind}`}
            style={{ left: `${start * 100}%`, width: `${share * 100}%` }}
          />
        </span>
        <span class="figure">{formatMs(span.durationMs)}</span>
      </button>
      {open && (
        <dl class="attributes">
          {Object.entries(span.attributes).map(([key, value]) => (
            <div key={key}>
              <dt>{key}</dt>
              <dd>{value}</dd>
            </div>
          ))}
        </dl>
      )}
    </li>
  );
}
