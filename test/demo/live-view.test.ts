import { stripVTControlCharacters } from "node:util";
import { describe, expect, it } from "vitest";
import { coloured, plain } from "../../cli/terminal.ts";
import { parseExposition } from "../../deploy/demo/live/exposition.ts";
import { ReadingWindow } from "../../deploy/demo/live/metrics-reader.ts";
import { drawPicture } from "../../deploy/demo/live/picture.ts";
import { drawLine, drawScreen } from "../../deploy/demo/live/screen.ts";

/** Of the sidecar of orders, `requests` after its start; one in four went to v2, and one in a hundred failed. */
function exposition(requests: number, weight = 90): string {
  const pod = 'namespace="shop",workload="orders",pod="orders-1"';
  const catalog = `direction="outbound",service="shop/catalog"`;
  const split = `service="shop/catalog",route="TrafficSplit shop/catalog"`;
  const v1 = `backend="catalog-v1.shop.svc.cluster.local:80"`;
  const v2 = `backend="catalog-v2.shop.svc.cluster.local:80"`;
  return `
# HELP tulle_requests_total Requests that ended.
# TYPE tulle_requests_total counter
tulle_requests_total{${catalog},peer="",code="200",result="success",error="",${pod}} ${requests * 0.99}
tulle_requests_total{${catalog},peer="",code="504",result="failure",error="request_timeout",${pod}} ${requests * 0.005}
tulle_requests_total{${catalog},peer="",code="499",result="abandoned",error="",${pod}} ${requests * 0.005}
tulle_requests_total{direction="inbound",service="shop/orders",peer="shop/web",code="200",error="",${pod}} ${requests}
tulle_request_duration_seconds_bucket{le="0.001",${catalog},${pod}} 0
tulle_request_duration_seconds_bucket{le="0.002",${catalog},${pod}} ${requests * 0.5}
tulle_request_duration_seconds_bucket{le="0.01",${catalog},${pod}} ${requests}
tulle_request_duration_seconds_bucket{le="+Inf",${catalog},${pod}} ${requests}
tulle_retries_total{service="shop/catalog",reason="503",${pod}} ${requests * 0.1}
tulle_split_requests_total{${split},${v1},${pod}} ${requests * 0.75}
tulle_split_requests_total{${split},${v2},${pod}} ${requests * 0.25}
tulle_split_weight{${split},${v1},${pod}} ${weight}
tulle_split_weight{${split},${v2},${pod}} ${100 - weight}
tulle_breaker_state{${v1},endpoint="127.70.1.5:8080",${pod}} 0
tulle_breaker_state{${v1},endpoint="127.70.1.6:8080",${pod}} 2
tulle_certificate_not_before_timestamp_seconds{${pod}} 1000000
tulle_certificate_expiry_timestamp_seconds{${pod}} 1086400
tulle_control_stream_connected{${pod}} 1
`;
}

function picture(before: number, now: number, weight?: number) {
  const reading = (atMs: number, requests: number) => ({
    atMs,
    samples: parseExposition(exposition(requests, weight)),
  });
  return drawPicture(reading(0, before), reading(2_000, now), 1_000_390_000);
}

function input(events: readonly string[] = [], problems: readonly string[] = []) {
  const policyFile = "deploy/demo/policies.yaml";
  return { picture: picture(1_000, 1_200), upMs: 61_000, events, problems, windowMs: 3_000, policyFile };
}

describe("parseExposition", () => {
  it("reads labels with escapes, and values that are not finite numbers", () => {
    const samples = parseExposition(
      'up{a="say \\"x\\"\\n",b="{}, c=\\"d\\""} 1 1700000000\nle_bound{le="+Inf"} +Inf\n',
    );
    expect(samples).toEqual([
      {
        name: "up",
        labels: new Map([
          ["a", 'say "x"\n'],
          ["b", '{}, c="d"'],
        ]),
        value: 1,
      },
      { name: "le_bound", labels: new Map([["le", "+Inf"]]), value: Number.POSITIVE_INFINITY },
    ]);
  });
});

describe("drawPicture", () => {
  it("computes rates, success and latency of an edge from the difference of two readings", () => {
    const [edge] = picture(1_000, 1_200).edges;
    expect(edge).toMatchObject({ from: "orders", to: "catalog", perSecond: 100, successPercent: 99 });
    expect(edge?.retriesPerSecond).toBeCloseTo(10);
    expect(edge?.p50Ms).toBeCloseTo(2);
    expect(edge?.p99Ms).toBeCloseTo(9.84);
  });

  it("shows the observed split beside the wanted one", () => {
    const [split] = picture(1_000, 1_200, 60).splits;
    expect(split?.service).toBe("catalog");
    expect(split?.backends).toEqual([
      { name: "catalog-v1", wantedPercent: 60, seenPercent: 75 },
      { name: "catalog-v2", wantedPercent: 40, seenPercent: 25 },
    ]);
  });

  it("treats a counter that went down as that of a restarted sidecar", () => {
    expect(picture(1_000, 50).edges[0]?.perSecond).toBe(25);
  });

  it("names breakers that are not closed, and counts the others", () => {
    const { trippedBreakers, closedBreakers } = picture(1_000, 1_200);
    expect(closedBreakers).toBe(1);
    expect(trippedBreakers).toEqual([
      { from: "orders", backend: "catalog-v1", endpoint: "127.70.1.6:8080", state: "open" },
    ]);
  });

  it("knows how old the certificates are", () => {
    expect(picture(1_000, 1_200).sidecars).toEqual({
      count: 1,
      connected: 1,
      certificateAgeMs: 90_000,
      certificateLeftMs: 86_010_000,
    });
  });

  it("orders edges as a request meets them", () => {
    const requests = (workload: string, service: string) =>
      `tulle_requests_total{direction="outbound",service="shop/${service}",code="200",workload="${workload}"} 1\n`;
    const text = requests("orders", "catalog") + requests("web", "orders") + requests("load", "web");
    const { edges } = drawPicture({ atMs: 0, samples: [] }, { atMs: 1_000, samples: parseExposition(text) }, 0);
    expect(edges.map(({ from, to }) => `${from} ${to}`)).toEqual(["load web", "web orders", "orders catalog"]);
  });

  it("leaves out what has no figure", () => {
    const [edge] = picture(1_000, 1_000).edges;
    expect(edge).toEqual({ from: "orders", to: "catalog", perSecond: 0, retriesPerSecond: 0 });
  });
});

describe("drawScreen", () => {
  it.each([40, 60, 80, 200])("keeps every line within %i columns, even in colour", (columns) => {
    const events = ["16:20:31 exited   web-1: exit code 1, starts again in 0.5 s; its last lines: and many more words"];
    const problems = ["deploy/demo/policies.yaml:12 spec.maxAttemps: unknown field, did you mean maxAttempts?"];
    for (const paint of [plain, coloured]) {
      const lines = drawScreen(input(events, problems), { columns, rows: 30 }, paint);
      const widths = lines.map((line) => stripVTControlCharacters(line).length);
      expect(Math.max(...widths)).toBeLessThanOrEqual(Math.min(columns, 100));
    }
  });

  it("fits a terminal of 80 by 24", () => {
    const events = Array.from({ length: 20 }, (_, i) => `event ${i}`);
    const lines = drawScreen(input(events), { columns: 80, rows: 24 }, plain);
    expect(lines.length).toBeLessThanOrEqual(24);
    expect(lines.join("\n")).toContain("event 19");
    expect(lines.at(-1)).toContain("edit deploy/demo/policies.yaml");
  });

  it("shows each edge, the split, the open breaker and the certificates", () => {
    const screen = drawScreen(input(), { columns: 80, rows: 30 }, plain).join("\n");
    expect(screen).toMatch(/orders → catalog +100\.0 +99\.0 % +2\.0 +9\.8 +10\.0/);
    expect(screen).toMatch(/catalog-v1 +seen +75 % +wanted +90 %/);
    expect(screen).toContain("open       127.70.1.6:8080 of catalog-v1, as orders sees it");
    expect(screen).toContain("90 s old at most, good for 23 h");
  });

  it("shows what is wrong with the folder", () => {
    const problem = "deploy/demo/policies.yaml:12 spec.maxAttemps: unknown field";
    expect(drawScreen(input([], [problem]), { columns: 80, rows: 30 }, plain).join("\n")).toContain(problem);
  });

  it("wraps problems between words, and breaks a word only if it is longer than a line", () => {
    const drawn = (problem: string) =>
      drawScreen(input([], [problem]), { columns: 40, rows: 30 }, plain).filter((line) =>
        problem.includes(line.trim()),
      );
    expect(drawn("policies.yaml:21 spec.initialDelay: must be a duration such as 1h30m").filter(Boolean)).toEqual([
      "  policies.yaml:21 spec.initialDelay:",
      "  must be a duration such as 1h30m",
    ]);
    expect(drawn("x".repeat(50)).filter(Boolean)).toEqual([`  ${"x".repeat(38)}`, `  ${"x".repeat(12)}`]);
  });

  it("cuts with an ellipsis what would take more than three lines", () => {
    const lines = drawScreen(input([], ["word ".repeat(60).trim()]), { columns: 40, rows: 30 }, plain);
    const problem = lines.filter((line) => line.startsWith("  word"));
    expect(problem).toHaveLength(3);
    expect(problem[2]).toMatch(/…$/);
  });
});

it("says the same in one line if there is no terminal", () => {
  expect(drawLine({ picture: picture(1_000, 1_200), upMs: 61_000 })).toBe(
    "61 s | orders->catalog 100.0/s 99.0 % ok p99 9.8 ms | " +
      "split catalog: catalog-v1 75 % of 90 %, catalog-v2 25 % of 10 % | breaker 127.70.1.6:8080 open",
  );
});

describe("ReadingWindow", () => {
  const reading = (atMs: number, weight: number) => ({ atMs, samples: parseExposition(exposition(100, weight)) });

  it("spans its whole length, once there are enough readings", () => {
    const window = new ReadingWindow(3_000);
    for (const atMs of [0, 1_000, 2_000, 3_000, 4_000]) window.add(reading(atMs, 90));
    expect(window.ends?.map(({ atMs }) => atMs)).toEqual([1_000, 4_000]);
  });

  it("compares with the reading before, however long ago that was", () => {
    const window = new ReadingWindow(3_000);
    for (const atMs of [0, 3_100, 6_200]) window.add(reading(atMs, 90));
    expect(window.ends?.map(({ atMs }) => atMs)).toEqual([3_100, 6_200]);
  });

  it("starts again when a weight changes, so that it shows only the new weights' effect", () => {
    const window = new ReadingWindow(3_000);
    window.add(reading(0, 90));
    window.add(reading(1_000, 90));
    window.add(reading(1_500, 50));
    expect(window.ends).toBeUndefined();
    window.add(reading(2_000, 50));
    expect(window.ends?.map(({ atMs }) => atMs)).toEqual([1_500, 2_000]);
  });
});
