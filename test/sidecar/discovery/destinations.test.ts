import { describe, expect, it } from "vitest";
import type { Destination } from "../../../model/resources.ts";
import { Destinations } from "../../../sidecar/discovery/destinations.ts";
import type { Service } from "../../../sidecar/net/exchange.ts";
import { TimerWheel } from "../../../sidecar/net/timer-wheel.ts";
import { exchangeOf, RecordingCaller, RecordingUpstream, responseHead } from "../../support/exchange.ts";
import { HandClock } from "../../support/hand-clock.ts";

const orders = "orders.shop.svc.cluster.local:80";

function destination(name: string, protocol: Destination["protocol"] = "http1"): Destination {
  return { name, service: { namespace: "shop", name: "orders" }, protocol, routes: [] };
}

/** A control plane that answers when it is told to, and services that answer with their own name. */
function destinations(outboundMtls: "preferred" | "required" = "preferred") {
  const clock = new HandClock();
  const wheel = new TimerWheel(clock, { drive: false });
  const following = new Map<string, (destination: Destination | undefined, version?: string) => void>();
  const asked: string[] = [];
  const naming = (name: string): Service => {
    const upstream = new RecordingUpstream();
    return (exchange, response) => {
      const sink = upstream.service(exchange, response);
      response.head(responseHead(200));
      response.writeResponse(Buffer.from(name));
      response.endResponse();
      return sink;
    };
  };
  let composed = 0;
  const all = new Destinations({
    follow: (name, apply) => {
      asked.push(name);
      following.set(name, (told, version) => apply(told, version));
      return () => following.delete(name);
    },
    compose: ({ name, protocol }) => {
      if (protocol === "tls") throw new Error("can't be composed");
      return naming(`${name.split(".")[0]} #${++composed}`);
    },
    passThrough: (address, reason) => naming(`${address} ${reason}`),
    refuseUnknown: (name) => naming(`${name} refused`),
    outboundMtls,
    clock,
    wheel,
  });
  const pass = (ms: number) => {
    clock.advance(ms);
    wheel.advance();
  };
  const send = (service: Service) => {
    const caller = new RecordingCaller();
    service(exchangeOf(), caller).endRequest();
    return () => caller.calls.find(([name]) => name === "write")?.[1];
  };
  return { all, pass, send, following, asked, clock };
}

describe("a destination that is dialled", () => {
  it("knows its protocol: the declared one, or its port's usual one", () => {
    const { all, pass, following } = destinations();
    const known: string[] = [];
    for (const [name, port] of [
      [orders, 80],
      ["db:3306", 3306],
      ["silent:80", 80],
    ] as const) {
      const dialled = all.dial(name, `10.0.0.1:${port}`);
      dialled.whenKnown?.(() => known.push(`${name} ${dialled.protocol}`));
    }
    following.get(orders)?.(destination(orders, "grpc"));
    following.get("db:3306")?.(undefined);
    expect(known).toEqual([`${orders} grpc`, "db:3306 opaque"]);
    pass(1_000);
    expect(known[2]).toBe("silent:80 detect");
    all.dial(orders, "orders:80").whenKnown?.(() => known.push("at once"));
    expect(known[3]).toBe("at once");
  });

  it("is served as its caller says if the name is foreign or unknown", () => {
    const { all, send, pass, following } = destinations("required");
    const otherwise = all.dial("10.0.0.1:8080", "10.0.0.1:8080").service;
    following.get("10.0.0.1:8080")?.(destination("pod"));
    const unanswered = send(all.dial("slow:80", "10.0.0.1:8080", otherwise).service);
    const foreign = all.dial("example.com:80", "10.0.0.1:8080", otherwise);
    const elsewhere = all.dial("example.com:80", "10.0.0.2:8080");
    following.get("example.com:80")?.(undefined);
    pass(1_000);
    expect([unanswered(), send(foreign.service)(), elsewhere.protocol]).toEqual(["pod #1", "pod #1", "detect"]);
  });

  it("is requested once, and holds requests until there is an answer", () => {
    const { all, send, following, asked } = destinations();
    const dialled = all.dial(orders, "orders:80");
    const answers = [send(dialled.service), send(all.dial(orders, "orders.shop:80").service)];
    expect([asked, dialled.protocol, answers.map((answer) => answer())]).toEqual([
      [orders],
      "detect",
      [undefined, undefined],
    ]);
    following.get(orders)?.(destination(orders));
    expect(answers.map((answer) => answer())).toEqual(["orders #1", "orders #1"]);
    expect(dialled.protocol).toBe("http1");
  });

  it("is outside the mesh if the control plane says so, and dialled by its own address", () => {
    const { all, send, following } = destinations();
    const { service } = all.dial("example.com.svc.cluster.local:80", "example.com:80");
    const answer = send(service);
    following.get("example.com.svc.cluster.local:80")?.(undefined);
    expect(answer()).toBe("example.com:80 outside");
    expect(all.known).toEqual([]);
  });

  it("is composed again with each update, for open connections too", () => {
    const { all, send, following } = destinations();
    const { service } = all.dial(orders, "orders:80");
    following.get(orders)?.(destination(orders));
    following.get(orders)?.(destination(orders, "http2"));
    expect(send(service)()).toBe("orders #2");
    expect(all.known.map(({ protocol }) => protocol)).toEqual(["http2"]);
    following.get(orders)?.(undefined);
    expect(send(service)()).toBe("orders:80 outside");
  });

  it("stays as it was if an update can't be applied", () => {
    const { all, send, following } = destinations();
    const dialled = all.dial(orders, "orders:80");
    following.get(orders)?.(destination(orders));
    expect(() => following.get(orders)?.(destination(orders, "tls"))).toThrow("can't be composed");
    expect([send(dialled.service)(), dialled.protocol]).toEqual(["orders #1", "http1"]);
  });
});

describe("without a control plane", () => {
  it("a request is held for a second, then forwarded to the dialled address; the next is not held", () => {
    const { all, send, pass } = destinations();
    const { service } = all.dial(orders, "orders:80");
    const held = send(service);
    pass(999);
    expect(held()).toBeUndefined();
    pass(20);
    expect(held()).toBe("orders:80 no_policy_yet");
    expect(send(service)()).toBe("orders:80 no_policy_yet");
  });

  it("a request is also forwarded if the only answer can't be applied", () => {
    const { all, send, pass, following } = destinations();
    const held = send(all.dial(orders, "orders:80").service);
    expect(() => following.get(orders)?.(destination(orders, "tls"))).toThrow("can't be composed");
    pass(1_020);
    expect(held()).toBe("orders:80 no_policy_yet");
  });

  it("a request is refused if mutual TLS is required", () => {
    const { all, send, pass } = destinations("required");
    const { service } = all.dial(orders, "orders:80");
    const held = send(service);
    pass(1_020);
    expect([held(), send(service)()]).toEqual([`${orders} refused`, `${orders} refused`]);
  });

  it("an answer that comes late counts from then on", () => {
    const { all, send, pass, following } = destinations();
    const { service } = all.dial(orders, "orders:80");
    pass(1_020);
    following.get(orders)?.(destination(orders));
    expect(send(service)()).toBe("orders #1");
    pass(5_000);
    expect(send(service)()).toBe("orders #1");
  });
});

describe("a destination that nobody uses", () => {
  it("is forgotten ten minutes after the last request, not after the last dial", () => {
    const { all, send, pass, following } = destinations();
    const { service } = all.dial(orders, "orders:80");
    following.get(orders)?.(destination(orders));
    for (let minute = 0; minute < 30; minute++) {
      pass(60_000);
      send(service);
      all.forgetIdle();
    }
    expect(following.size).toBe(1);
    pass(10 * 60_000);
    all.forgetIdle();
    expect(following.size).toBe(1);
    pass(1);
    all.forgetIdle();
    expect([following.size, all.known]).toEqual([0, []]);
  });

  it("is requested again when a connection that outlived it is used", () => {
    const { all, send, pass, following, asked } = destinations();
    const { service } = all.dial(orders, "orders:80");
    following.get(orders)?.(destination(orders));
    pass(11 * 60_000);
    all.forgetIdle();
    const answer = send(service);
    expect(asked).toEqual([orders, orders]);
    following.get(orders)?.(destination(orders));
    expect(answer()).toBe("orders #2");
    following.get(orders)?.(destination(orders));
    expect(send(service)()).toBe("orders #3");
  });

  it("makes room for another beyond ten thousand if it was used least recently", () => {
    const { all, pass, following } = destinations();
    const name = (number: number) => `s${number}.shop.svc.cluster.local:80`;
    for (let number = 0; number < 10_000; number++) all.dial(name(number), "");
    pass(2_000);
    all.dial(name(0), "");
    all.dial(name(10_000), "");
    expect([following.size, following.has(name(0)), following.has(name(1))]).toEqual([10_000, true, false]);
  });

  it("leaves no request waiting", () => {
    const { all, send, following } = destinations();
    const held = send(all.dial(orders, "orders:80").service);
    all.close();
    expect(held()).toBe(`${orders} refused`);
    expect(following.size).toBe(0);
  });
});
