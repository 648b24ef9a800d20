/**
 * Traces of the control plane's own work. OpenTelemetry's SDK is loaded only if its standard variables configure an OTLP
 * endpoint; without it, spans cost next to nothing and are dropped.
 */

import { trace } from "@opentelemetry/api";

const serviceName = "tulle-control-plane";

/** Returns a function that ends tracing, once the last spans are sent or given up. */
export async function startTracing(env: NodeJS.ProcessEnv): Promise<() => Promise<void>> {
  const endpoint = env["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] ?? env["OTEL_EXPORTER_OTLP_ENDPOINT"] ?? "";
  if (endpoint === "" || env["OTEL_SDK_DISABLED"] === "true") return () => Promise.resolve();
  const { NodeSDK } = await import("@opentelemetry/sdk-node");
  const sdk = new NodeSDK({ serviceName: env["OTEL_SERVICE_NAME"] ?? serviceName });
  sdk.start();
  return () => sdk.shutdown();
}

/** Runs `work` within a span. */
export function traced<T>(name: string, attributes: Readonly<Record<string, number>>, work: () => T): T {
  return trace.getTracer(serviceName).startActiveSpan(name, { attributes }, (span) => {
    try {
      return work();
    } finally {
      span.end();
    }
  });
}
