import { once } from "node:events";
import net from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { MeshError } from "../../../model/errors.ts";
import type { Result } from "../../../model/result.ts";
import { acceptLinks } from "../../../sidecar/mesh-link/accept.ts";
import { linkConnector, meshPort } from "../../../sidecar/mesh-link/connect.ts";
import type { LinkConnection } from "../../../sidecar/mesh-link/link.ts";
import { HeaderFields } from "../../../sidecar/net/header-fields.ts";
import type { Listener } from "../../../sidecar/net/listener.ts";
import { TimerWheel } from "../../../sidecar/net/timer-wheel.ts";
import { HandIdentity, TestAuthority, trustDomain, workloadId } from "../../support/authority.ts";
import { eventually } from "../../support/eventually.ts";
import { exchangeOf, RecordingCaller, RecordingUpstream, responseHead } from "../../support/exchange.ts";
import { HandClock } from "../../support/hand-clock.ts";
import { nextPodIp } from "../../support/sidecar-pair.ts";
import { dialRaw, untilClosed } from "../../support/sockets.ts";

let authority: TestAuthority;
let foreign: TestAuthority;
const closing: (() => void)[] = [];

beforeEach(async () => {
  [authority, foreign] = await Promise.all([TestAuthority.open(), TestAuthority.open()]);
});

afterEach(async () => {
  for (const close of closing.splice(0)) close();
  await Promise.all([authority[Symbol.asyncDispose](), foreign[Symbol.asyncDispose]()]);
});

const orders = workloadId("orders");
const web = workloadId("web");

async function peer(
  podIp: string,
  issuer = authority,
  maxHandshakes?: number,
): Promise<{ upstream: RecordingUpstream; listener: Listener; identity: HandIdentity; refused: string[] }> {
  const upstream = new RecordingUpstream();
  const refused: string[] = [];
  const identity = new HandIdentity(orders, issuer.credentials(orders));
  const listener = await acceptLinks({
    host: podIp,
    port: meshPort,
    identity,
    trustDomain,
    service: upstream.service,
    clock: performance,
    wheel: new TimerWheel(performance),
    onHandshake: () => {},
    onRefused: (code) => void refused.push(code),
    limit: { onExceeded: () => void refused.push("overloaded") },
    ...(maxHandshakes !== undefined && { maxHandshakes }),
  });
  closing.push(() => listener.close());
  return { upstream, listener, identity, refused };
}

function dialling(podIp: string, expected = orders, credentials = authority.credentials(web)) {
  const clock = new HandClock();
  const wheel = new TimerWheel(clock, { drive: false });
  const outcomes: string[] = [];
  const events: string[] = [];
  const identity = new HandIdentity(web, credentials);
  const onHandshake = (outcome: string) => outcomes.push(outcome);
  const connectTo = linkConnector({ identity, clock, wheel, unixNow: Date.now, onHandshake });
  const connected = new Promise<Result<LinkConnection, MeshError>>((resolve) => {
    const note = (what: string) => () => {
      events.push(what);
    };
    connectTo(podIp, expected)(1_000, { slotFreed: note("slot freed"), unusable: note("unusable") }, resolve);
  });
  const pass = (ms: number) => {
    clock.advance(ms);
    wheel.advance();
  };
  return { connected, outcomes, events, pass, identity };
}

async function failure(dialled: ReturnType<typeof dialling>): Promise<string> {
  const result = await dialled.connected;
  return result.ok ? "connected" : `${result.error.code} ${result.error.processed}`;
}

describe("a connection to a peer", () => {
  it("carries requests once the peer's SETTINGS have arrived, and reports when it accepts no more", async () => {
    const podIp = nextPodIp();
    const { upstream, listener } = await peer(podIp);
    const dialled = dialling(podIp);
    const result = await dialled.connected;
    if (!result.ok) throw result.error;
    const connection = result.value;
    expect([dialled.outcomes, connection.canOpenStream]).toEqual([["ok"], true]);
    const caller = new RecordingCaller();
    connection.request(exchangeOf(), caller).endRequest();
    await eventually(() => upstream.calls.length === 1);
    expect([upstream.exchange.peer, connection.activeStreams]).toEqual([web, 1]);
    upstream.response.head(responseHead(204));
    upstream.response.endResponse();
    await eventually(() => caller.calls.length === 2);
    expect(connection.activeStreams).toBe(0);
    listener.close();
    await eventually(() => dialled.events.includes("unusable"));
  });

  it("reports a request that the far end's codec refuses", async () => {
    const podIp = nextPodIp();
    const { upstream, refused } = await peer(podIp);
    const result = await dialling(podIp).connected;
    if (!result.ok) throw result.error;
    const caller = new RecordingCaller();
    const headers = new HeaderFields(Array.from({ length: 129 }, (_, i) => [`x-${i}`, "1"]).flat());
    result.value.request(exchangeOf({ headers }), caller).endRequest();
    await eventually(() => caller.calls.length > 0);
    expect([refused, upstream.calls]).toEqual([["head_too_large"], []]);
  });

  it("is due for replacement before the first of the two certificates expires", async () => {
    const podIp = nextPodIp();
    await peer(podIp);
    const dialled = dialling(podIp);
    const result = await dialled.connected;
    if (!result.ok) throw result.error;
    const { notAfterMs } = dialled.identity.current();
    expect(result.value.replaceAtMs).toBeLessThanOrEqual(Math.min(notAfterMs - Date.now(), 8 * 3_600_000));
    expect(result.value.replaceAtMs).toBeGreaterThan(0);
    result.value.destroy(new MeshError("upstream_closed", ""));
  });
});

describe("a connection whose root is dropped", () => {
  const bundle = (...issuers: TestAuthority[]) => issuers.map((each) => each.authority.trustBundlePem).join("");

  it("is due for replacement, and not before", async () => {
    const podIp = nextPodIp();
    await peer(podIp);
    const dialled = dialling(podIp);
    const result = await dialled.connected;
    if (!result.ok) throw result.error;
    const { identity } = dialled;
    const dueMs = result.value.replaceAtMs;
    identity.rotate({ ...identity.current(), trustBundlePem: bundle(authority, foreign) });
    expect(result.value.replaceAtMs).toBe(dueMs);
    identity.rotate({ ...foreign.credentials(web), trustBundlePem: bundle(authority, foreign) });
    expect(result.value.replaceAtMs).toBe(dueMs);
    identity.rotate(foreign.credentials(web));
    expect(result.value.replaceAtMs).toBe(0);
    result.value.destroy(new MeshError("upstream_closed", ""));
  });

  it("is given no more requests by its peer, and not before", async () => {
    const podIp = nextPodIp();
    const { identity } = await peer(podIp);
    const dialled = dialling(podIp);
    const result = await dialled.connected;
    if (!result.ok) throw result.error;
    identity.rotate({ ...foreign.credentials(orders), trustBundlePem: bundle(authority, foreign) });
    const caller = new RecordingCaller();
    result.value.request(exchangeOf(), caller).endRequest();
    await eventually(() => result.value.activeStreams === 1);
    expect(dialled.events).not.toContain("unusable");
    identity.rotate(foreign.credentials(orders));
    await eventually(() => dialled.events.includes("unusable"));
    expect(caller.calls).toEqual([]);
    result.value.destroy(new MeshError("upstream_closed", ""));
  });
});

it("is made even while another address has begun as many handshakes as are allowed", async () => {
  const podIp = nextPodIp();
  const { refused } = await peer(podIp, authority, 3);
  const crowdIp = nextPodIp();
  const crowd: net.Socket[] = [];
  closing.push(() => crowd.forEach((socket) => socket.destroy()));
  for (let i = 0; i < 3; i++) {
    const socket = dialRaw({ host: podIp, port: meshPort, localAddress: crowdIp }).resume();
    crowd.push(socket);
    await once(socket, "connect");
  }
  const cut = untilClosed(crowd[0] as net.Socket);
  expect((await dialling(podIp).connected).ok).toBe(true);
  await cut;
  expect(refused).toEqual(["overloaded"]);
});

describe("nothing was processed if", () => {
  it("nobody listens", async () => {
    expect(await failure(dialling(nextPodIp()))).toBe("mesh_port_unreachable unprocessed");
  });

  it("the peer is not the expected workload", async () => {
    const podIp = nextPodIp();
    const { upstream } = await peer(podIp);
    expect(await failure(dialling(podIp, workloadId("payments")))).toBe("identity_mismatch unprocessed");
    expect(() => upstream.exchange).toThrow("no request");
  });

  it("the peer's certificate is from another authority", async () => {
    const podIp = nextPodIp();
    await peer(podIp, foreign);
    expect(await failure(dialling(podIp))).toBe("tls_failed unprocessed");
  });

  it("the peer refuses our certificate, which it checks after our handshake is done", async () => {
    const podIp = nextPodIp();
    const { upstream } = await peer(podIp);
    const { trustBundlePem } = authority.credentials(web);
    const stranger = { ...foreign.credentials(web), trustBundlePem };
    expect(await failure(dialling(podIp, orders, stranger))).toBe("tls_failed unprocessed");
    expect(() => upstream.exchange).toThrow("no request");
  });

  it("the mesh port accepts and says nothing", async () => {
    const podIp = nextPodIp();
    const server = net.createServer((socket) => socket.on("error", () => {}));
    server.listen(meshPort, podIp);
    await once(server, "listening");
    closing.push(() => server.close());
    const dialled = dialling(podIp);
    const [socket] = (await once(server, "connection")) as [net.Socket];
    await once(socket, "data"); // the other end knows that it is connected
    dialled.pass(999);
    expect(dialled.outcomes).toEqual([]);
    dialled.pass(20);
    expect(await failure(dialled)).toBe("connect_timeout unprocessed");
    await untilClosed(socket);
  });

  it("the mesh port does not even accept the connection in time, as behind a NetworkPolicy", async () => {
    const podIp = nextPodIp();
    await peer(podIp);
    const dialled = dialling(podIp);
    dialled.pass(1_019); // before this process could hear that it was taken
    expect(await failure(dialled)).toBe("mesh_port_unreachable unprocessed");
  });

  it("the mesh port speaks something else", async () => {
    const podIp = nextPodIp();
    const server = net.createServer((socket) => socket.on("error", () => {}).end("HTTP/1.1 400 Bad Request\r\n\r\n"));
    server.listen(meshPort, podIp);
    await once(server, "listening");
    closing.push(() => server.close());
    expect(await failure(dialling(podIp))).toBe("tls_failed unprocessed");
  });
});
