import { expect, it } from "vitest";
import { waterfallOf } from "../../../../control-plane/dashboard/page/waterfall.ts";
import type { SpanView } from "../../../../control-plane/traffic/trace-store.ts";

function spanOf(id: string, startMs: number, durationMs: number, change: Partial<SpanView> = {}): SpanView {
  return {
    id,
    workload: "shop/web",
    name: "GET",
    kind: "client",
    failed: false,
    startMs,
    durationMs,
    attributes: {},
    ...change,
  };
}

const drawn = (spans: readonly SpanView[]) => waterfallOf(spans).map(({ span, depth }) => [span.id, depth]);

it("draws each span below its parent, and siblings by their start", () => {
  const spans = [
    spanOf("try 2", 106, 3, { parent: "root" }),
    spanOf("root", 100, 10),
    spanOf("server", 107, 1, { parent: "try 2", kind: "server", workload: "shop/orders" }),
    spanOf("try 1", 101, 4, { parent: "root" }),
  ];
  expect(drawn(spans)).toEqual([
    ["root", 0],
    ["try 1", 1],
    ["try 2", 1],
    ["server", 2],
  ]);
  expect(waterfallOf(spans)[1]).toMatchObject({ start: 0.1, share: 0.4 });
});

it("draws an application's calls below the request that it was serving", () => {
  const spans = [
    spanOf("served", 100, 10, { kind: "server" }),
    spanOf("asked", 102, 3, { parent: "a span of the application" }),
    spanOf("elsewhere", 103, 3, { parent: "another", workload: "shop/orders" }),
  ];
  expect(drawn(spans)).toEqual([
    ["served", 0],
    ["asked", 1],
    ["elsewhere", 0],
  ]);
});

it("draws every span, including those that name each other as parents, and one without duration", () => {
  const circle = [spanOf("a", 1, 1, { parent: "b" }), spanOf("b", 1, 1, { parent: "a" })];
  expect(drawn(circle)).toHaveLength(2);
  expect(waterfallOf([spanOf("point", 5, 0)])).toMatchObject([{ start: 0, share: 0 }]);
  expect(waterfallOf([])).toEqual([]);
});
