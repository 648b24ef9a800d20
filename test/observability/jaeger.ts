/** A real Jaeger with its store in memory, and what its API says of a trace. */

import { clusterProgram } from "../cluster/api-server.ts";
import { freePorts, StartedProgram } from "./started-program.ts";

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

export class Jaeger implements AsyncDisposable {
  /** What to set OTEL_EXPORTER_OTLP_ENDPOINT to. */
  readonly endpoint: string;
  readonly #query: string;
  readonly #program: StartedProgram;

  private constructor(program: StartedProgram, otlpPort: number, queryPort: number) {
    this.#program = program;
    this.endpoint = `http://127.0.0.1:${otlpPort}`;
    this.#query = `http://127.0.0.1:${queryPort}`;
  }

  static async start(): Promise<Jaeger> {
    const flags = [
      "collector.otlp.http",
      "query.http-server",
      "collector.otlp.grpc",
      "query.grpc-server",
      "collector.grpc-server",
      "collector.http-server",
      "admin.http",
      "http-server",
      "processor.jaeger-binary.server",
      "processor.jaeger-compact.server",
      "processor.zipkin-compact.server",
    ];
    const ports = await freePorts(flags.length);
    const [otlpPort = 0, queryPort = 0] = ports;
    const program = await StartedProgram.start({
      command: clusterProgram("jaeger-all-in-one"),
      args: () => [
        "--collector.otlp.enabled=true",
        ...flags.map(
          (flag, index) => `--${flag}${flag.includes("processor") ? "-" : "."}host-port=127.0.0.1:${ports[index]}`,
        ),
      ],
      readyUrl: `http://127.0.0.1:${queryPort}/api/services`,
      install: "run test/cluster/tools jaeger once",
    });
    return new Jaeger(program, otlpPort, queryPort);
  }

  /** Empty: it knows none of that id (yet). */
  async trace(traceId: string): Promise<JaegerSpan[]> {
    const response = await fetch(`${this.#query}/api/traces/${traceId}`);
    if (response.status === 404) return [];
    const { data } = (await response.json()) as { data: readonly JaegerTrace[] };
    return data.flatMap(({ spans, processes }) =>
      spans.map(({ spanID, operationName, processID, references, tags }) => ({
        spanId: spanID,
        parentSpanId: references.find(({ refType }) => refType === "CHILD_OF")?.spanID,
        service: processes[processID]?.serviceName ?? "",
        operation: operationName,
        tags: new Map(tags.map(({ key, value }) => [key, value])),
      })),
    );
  }

  async services(): Promise<string[]> {
    const { data } = (await (await fetch(`${this.#query}/api/services`)).json()) as { data: string[] | null };
    return data ?? [];
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#program[Symbol.asyncDispose]();
  }
}
