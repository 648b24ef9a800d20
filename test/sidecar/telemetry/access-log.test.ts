import { expect, it } from "vitest";
import { MeshError } from "../../../model/errors.ts";
import { type AccessLogMode, logAccess, parseAccessLogMode } from "../../../sidecar/telemetry/access-log.ts";
import { jsonLog } from "../../../system/log.ts";
import { exchangeOf, RecordingCaller, RecordingUpstream, responseHead } from "../../support/exchange.ts";
import { HandClock } from "../../support/hand-clock.ts";
import { seededRandom } from "../../support/seeded-random.ts";

function logging(mode: AccessLogMode) {
  const lines: string[] = [];
  const clock = new HandClock();
  const log = jsonLog("sidecar", "info", (line) => lines.push(line));
  const upstream = new RecordingUpstream();
  const layer = logAccess({ mode, log, clock, random: seededRandom(3), direction: "inbound", service: "shop/web" });
  const service = layer(upstream.service);
  function serve(status: number, headers: Record<string, string> = {}): void {
    service(exchangeOf({ path: "/cart?token=t0p" }), new RecordingCaller());
    clock.advance(12);
    upstream.response.head(responseHead(status, headers));
    upstream.response.writeResponse(Buffer.from("four"));
    upstream.response.endResponse();
  }
  return { lines, upstream, layer, service, serve, read: () => lines.map((line): unknown => JSON.parse(line)) };
}

it("is no layer at all when it is off", () => {
  const { layer, upstream } = logging({ kind: "off" });
  expect(layer(upstream.service)).toBe(upstream.service);
});

it("writes one line per request, with neither query nor headers", () => {
  const { serve, read, lines } = logging({ kind: "ratio", ratio: 1 });
  serve(200);
  expect(read()).toMatchObject([
    {
      message: "request",
      direction: "inbound",
      service: "shop/web",
      method: "GET",
      path: "/cart",
      status: 200,
      ending: "answered",
      duration_ms: 12,
      response_bytes: 4,
    },
  ]);
  expect(lines.join("")).not.toContain("t0p");
});

it("writes only what went wrong when it is asked for errors", () => {
  const { serve, service, upstream, read } = logging({ kind: "errors" });
  serve(200);
  serve(404);
  serve(500);
  serve(404, { "tulle-error": "no_route" });
  service(exchangeOf(), new RecordingCaller());
  upstream.response.abortResponse(new MeshError("connect_failed", "10.0.0.1:80"));
  service(exchangeOf(), new RecordingCaller()).abortRequest(new MeshError("upstream_closed", "the caller"));
  expect(read()).toMatchObject([
    { status: 500 },
    { status: 404, error: "no_route" },
    { error: "connect_failed", detail: "10.0.0.1:80", ending: "failed" },
    { ending: "abandoned" },
  ]);
});

it("writes the share that it is asked for", () => {
  const { serve, lines } = logging({ kind: "ratio", ratio: 0.1 });
  for (let i = 0; i < 5_000; i++) serve(200);
  expect(Math.abs(lines.length - 500)).toBeLessThan(4.5 * Math.sqrt(450));
});

it.each([
  [undefined, { kind: "off" }],
  ["off", { kind: "off" }],
  ["errors", { kind: "errors" }],
  ["all", { kind: "ratio", ratio: 1 }],
  ["0.05", { kind: "ratio", ratio: 0.05 }],
])("reads TULLE_ACCESS_LOG=%s", (text, value) => {
  expect(parseAccessLogMode(text)).toEqual({ ok: true, value });
});

it.each(["on", "2", "-1", "5%"])("refuses TULLE_ACCESS_LOG=%s", (text) => {
  expect(parseAccessLogMode(text)).toMatchObject({ ok: false, error: { path: "TULLE_ACCESS_LOG" } });
});
