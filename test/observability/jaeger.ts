/** A real Jaeger with its store in memory. */

import { clusterProgram } from "../cluster/api-server.ts";
import { JaegerQuery } from "./jaeger-query.ts";
import { freePorts, StartedProgram } from "./started-program.ts";

export class Jaeger extends JaegerQuery implements AsyncDisposable {
  /** What to set OTEL_EXPORTER_OTLP_ENDPOINT to. */
  readonly endpoint: string;
  /** The same, with OTEL_EXPORTER_OTLP_PROTOCOL=grpc. */
  readonly grpcEndpoint: string;
  readonly #program: StartedProgram;

  private constructor(program: StartedProgram, otlpPort: number, queryPort: number, grpcPort: number) {
    super(`http://127.0.0.1:${queryPort}`);
    this.#program = program;
    this.endpoint = `http://127.0.0.1:${otlpPort}`;
    this.grpcEndpoint = `http://127.0.0.1:${grpcPort}`;
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
    const [otlpPort = 0, queryPort = 0, grpcPort = 0] = ports;
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
    return new Jaeger(program, otlpPort, queryPort, grpcPort);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#program[Symbol.asyncDispose]();
  }
}
