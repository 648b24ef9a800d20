import { expect, it } from "vitest";
import { MeshError } from "../../../model/errors.ts";
import type { AccessLog } from "../../../model/policy.ts";
import { HeaderFields } from "../../../sidecar/net/header-fields.ts";
import { logAccess } from "../../../sidecar/telemetry/access-log.ts";
import { shareOf } from "../../../sidecar/telemetry/logged-requests.ts";
import { jsonLog } from "../../../system/log.ts";
import { exchangeOf, RecordingCaller, RecordingUpstream, responseHead } from "../../support/exchange.ts";
import { HandClock } from "../../support/hand-clock.ts";
import { seededRandom } from "../../support/seeded-random.ts";

/** `most`: the share of some other route. */
function logging(accessLog: AccessLog, most = shareOf(accessLog)) {
  const lines: string[] = [];
  const clock = new HandClock();
  const log = jsonLog("sidecar", { level: "info" }, (line) => lines.push(line));
  const upstream = new RecordingUpstream();
  const layer = logAccess({
    logged: { atMost: () => most, of: () => accessLog },
    log,
    clock,
    random: seededRandom(3),
    direction: "inbound",
    service: "shop/web",
  });
  const service = layer(upstream.service);
  function serve(status: number, headers: Record<string, string> = {}): void {
    service(exchangeOf({ path: "/cart?token=t0p" }), new RecordingCaller());
    clock.advance(12);
    upstream.response.head(responseHead(status, headers));
    upstream.response.writeResponse(Buffer.from("four"));
    upstream.response.endResponse();
  }
  return { lines, upstream, service, serve, read: () => lines.map((line): unknown => JSON.parse(line)) };
}

it("writes nothing when it is off", () => {
  const { serve, lines } = logging({ requests: "none", ratio: 1 });
  serve(500);
  expect(lines).toEqual([]);
});

it("writes one line per request, with neither query nor headers", () => {
  const { serve, read, lines } = logging({ requests: "all", ratio: 1 });
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

it("names the operation of a GraphQL request, and nothing else of its body", () => {
  const { service, upstream, read, lines } = logging({ requests: "all", ratio: 1 });
  const headers = new HeaderFields(["content-type", "application/json"]);
  const sink = service(exchangeOf({ method: "POST", path: "/graphql", headers }), new RecordingCaller());
  sink.writeRequest(Buffer.from(JSON.stringify({ query: "mutation Pay { pay(card: 4111) { id } }" })));
  sink.endRequest();
  upstream.response.head(responseHead(200));
  upstream.response.endResponse();
  expect(read()).toMatchObject([{ path: "/graphql", operation: "mutation Pay" }]);
  expect(lines.join("")).not.toContain("4111");
});

it("writes only what went wrong if it is set to errors", () => {
  const { serve, service, upstream, read } = logging({ requests: "errors", ratio: 1 });
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

it.each([0.1, 1])("writes the configured share, even if another route has %d", (most) => {
  const { serve, lines } = logging({ requests: "all", ratio: 0.1 }, most);
  for (let i = 0; i < 5_000; i++) serve(200);
  expect(Math.abs(lines.length - 500)).toBeLessThan(4.5 * Math.sqrt(450));
});
