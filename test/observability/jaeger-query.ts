/** Jaeger's API: its traces, and the questions that tests ask. */

export interface JaegerSpan {
  readonly spanId: string;
  readonly parentSpanId: string | undefined;
  readonly service: string;
  readonly operation: string;
  readonly tags: ReadonlyMap<string, unknown>;
}

/** As Jaeger's query API writes it. */
interface JaegerTrace {
  readonly spans: readonly {
    readonly spanID: string;
    readonly operationName: string;
    readonly processID: string;
    readonly references: readonly { readonly refType: string; readonly spanID: string }[];
    readonly tags: readonly { readonly key: string; readonly value: unknown }[];
  }[];
  readonly processes: Readonly<Record<string, { readonly serviceName: string }>>;
}

export class JaegerQuery {
  readonly #url: string;

  /** Where its page is: `http://127.0.0.1:16686`. */
  constructor(url: string) {
    this.#url = url;
  }

  /** Empty: it knows none of that id (yet). */
  async trace(traceId: string): Promise<JaegerSpan[]> {
    return (await this.#read(`/api/traces/${traceId}`)).flat();
  }

  /** The newest in which a service has a span with these tags. */
  async traces(service: string, tags: Readonly<Record<string, string>> = {}): Promise<JaegerSpan[][]> {
    const query = new URLSearchParams({ service, tags: JSON.stringify(tags), limit: "20", lookback: "1h" });
    return await this.#read(`/api/traces?${query.toString()}`);
  }

  async services(): Promise<string[]> {
    const { data } = (await (await fetch(`${this.#url}/api/services`)).json()) as { data: string[] | null };
    return data ?? [];
  }

  async #read(path: string): Promise<JaegerSpan[][]> {
    const response = await fetch(`${this.#url}${path}`);
    if (response.status === 404) return [];
    const { data } = (await response.json()) as { data: readonly JaegerTrace[] };
    return data.map(({ spans, processes }) =>
      spans.map(({ spanID, operationName, processID, references, tags }) => ({
        spanId: spanID,
        parentSpanId: references.find(({ refType }) => refType === "CHILD_OF")?.spanID,
        service: processes[processID]?.serviceName ?? "",
        operation: operationName,
        tags: new Map(tags.map(({ key, value }) => [key, value])),
      })),
    );
  }
}

/** Spans whose parent is neither among them nor `root`, a span that somebody else has made. */
export function orphansIn(spans: readonly JaegerSpan[], root?: string): readonly JaegerSpan[] {
  const known = new Set([root, ...spans.map(({ spanId }) => spanId)]);
  return spans.filter(({ parentSpanId }) => parentSpanId === undefined || !known.has(parentSpanId));
}

/** From a span up to its root. */
export function spansUp(spans: readonly JaegerSpan[], from: JaegerSpan | undefined): JaegerSpan[] {
  const byId = new Map(spans.map((span) => [span.spanId, span]));
  const way: JaegerSpan[] = [];
  for (let span = from; span !== undefined; span = byId.get(span.parentSpanId ?? "")) way.push(span);
  return way;
}

/** The same as `service operation kind` each. */
export function wayUp(spans: readonly JaegerSpan[], from: JaegerSpan | undefined): string[] {
  return spansUp(spans, from).map(
    ({ service, operation, tags }) => `${service} ${operation} ${String(tags.get("span.kind"))}`,
  );
}

export function isPaymentsServer({ service, operation }: JaegerSpan): boolean {
  return service === "payments" && operation === "POST /payments";
}

/** An order of the demo shop, from its payment up. Program, sidecar, try; sidecar, program: so at each of the three hops. */
export const orderUpwards: readonly string[] = [
  "payments POST /payments server",
  "payments POST server",
  "orders POST client",
  "orders POST client",
  "orders POST payments client",
  "orders GET /orders/new server",
  "orders GET server",
  "web GET client",
  "web GET client",
  "web GET orders client",
  "web GET / server",
  "web GET server",
  "load GET client",
  "load GET client",
];
