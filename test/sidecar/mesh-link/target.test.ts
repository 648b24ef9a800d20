import { describe, expect, it } from "vitest";
import type { InboundPort } from "../../../model/resources.ts";
import { aimAt, refuseTunnels, takeTarget } from "../../../sidecar/mesh-link/target.ts";
import { type RequestHead, stack } from "../../../sidecar/net/exchange.ts";
import { HeaderFields } from "../../../sidecar/net/header-fields.ts";
import { exchangeOf, RecordingCaller, RecordingUpstream } from "../../support/exchange.ts";

describe("aiming at an endpoint", () => {
  it("says so in a field, replacing what was there, and in the authority of a tunnel", () => {
    const upstream = new RecordingUpstream();
    const service = aimAt("10.0.0.7:8080")(upstream.service);
    service(exchangeOf({ headers: new HeaderFields(["tulle-target", "10.0.0.1:80"]) }), new RecordingCaller());
    expect(upstream.exchange.headers.flat).toEqual(["tulle-target", "10.0.0.7:8080"]);
    expect(upstream.exchange.authority).toBe("orders.shop:80");
    service(exchangeOf({ method: "CONNECT" }), new RecordingCaller());
    expect(upstream.exchange.authority).toBe("10.0.0.7:8080");
    expect(upstream.exchange.headers.flat).toEqual([]);
  });
});

describe("the port that a stream is meant for", () => {
  const http = { port: 8080, protocol: "http1" } as const;
  const db = { port: 5432, protocol: "opaque" } as const;

  function taken(head: Partial<RequestHead>, ports: readonly InboundPort[] = [http, db]) {
    const upstream = new RecordingUpstream();
    const caller = new RecordingCaller();
    const exchange = exchangeOf(head);
    stack([takeTarget({ podIp: "10.0.0.7", ports: () => ports }), refuseTunnels()], upstream.service)(exchange, caller);
    return caller.calls.length === 0 ? exchange.target?.port : caller.calls;
  }

  const aimed = (target: string) => ({ headers: new HeaderFields(["tulle-target", target]) });
  const refused = [["abort", "wrong_pod"]];

  it("is the port it names, if this pod declares it", () => {
    expect(taken(aimed("10.0.0.7:8080"))).toBe(8080);
    expect(taken({ method: "CONNECT", authority: "10.0.0.7:5432" })).toBe(5432);
  });

  it.each([
    "10.0.0.8:8080",
    "10.0.0.70:8080",
    "10.0.0.7:9999",
    "10.0.0.7",
    "localhost:8080",
    ":8080",
    "",
    "10.0.0.7:8080x",
  ])("is none of this pod's ports if it names %j", (target) => {
    expect(taken(aimed(target))).toEqual(refused);
    expect(taken({ method: "CONNECT", authority: target })).toEqual(refused);
  });

  it("is the authority's port if the client names none, or else the only one there is", () => {
    expect(taken({ authority: "orders:8080" })).toBe(8080);
    expect(taken({ authority: "orders" })).toEqual(refused);
    expect(taken({ authority: "orders:80" }, [http])).toBe(8080);
    expect(taken({ authority: "orders:8080" }, [])).toEqual(refused);
  });

  it("is not guessed for a tunnel, nor from a wrong target", () => {
    expect(taken({ method: "CONNECT", authority: "orders:5432" }, [db])).toEqual(refused);
    expect(taken({ authority: "orders:8080", ...aimed("10.0.0.8:8080") }, [http])).toEqual(refused);
  });

  it.each(["http1", "http2", "grpc"] as const)("is not open to tunnels if it is declared as %s", (protocol) => {
    const tunnel = { method: "CONNECT", authority: "10.0.0.7:8080" };
    expect(taken(tunnel, [{ port: 8080, protocol }])).toEqual([["abort", "unsupported"]]);
  });

  it.each(["detect", "tls", "opaque"] as const)("is open to tunnels if it is declared as %s", (protocol) => {
    expect(taken({ method: "CONNECT", authority: "10.0.0.7:8080" }, [{ port: 8080, protocol }])).toBe(8080);
  });

  it("is none while it is not known which ports there are", () => {
    const caller = new RecordingCaller();
    const upstream = new RecordingUpstream();
    takeTarget({ podIp: "10.0.0.7", ports: () => undefined })(upstream.service)(
      exchangeOf(aimed("10.0.0.7:8080")),
      caller,
    );
    expect(caller.calls).toEqual([["abort", "refused_stream"]]);
  });
});
