import { describe, expect, it } from "vitest";
import { MeshError } from "../../../model/errors.ts";
import { type RequestHead, stack } from "../../../sidecar/net/exchange.ts";
import { HeaderFields } from "../../../sidecar/net/header-fields.ts";
import { askForAccept, giveAccept } from "../../../sidecar/upstream/websocket-handshake.ts";
import { exchangeOf, RecordingCaller, RecordingUpstream, responseHead } from "../../support/exchange.ts";

/** The example of RFC 6455 §1.3. */
const key = "dGhlIHNhbXBsZSBub25jZQ==";
const accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
const sample = Buffer.from(key, "base64");
const websocket = { upgrade: "websocket", bodyless: false };

/** Chance that brings about that key. */
function byChance() {
  let at = 0;
  return () => (sample[at++ % sample.length] as number) / 256;
}

function asked(layer: ReturnType<typeof giveAccept>, head: Partial<RequestHead>, overHttp2: boolean) {
  const [caller, upstream] = [new RecordingCaller(), new RecordingUpstream()];
  const exchange = exchangeOf({ headers: new HeaderFields(), ...head });
  exchange.overHttp2 = overHttp2;
  const sink = stack([layer], upstream.service)(exchange, caller);
  return { caller, upstream, exchange, sink, keys: () => exchange.headers.all("sec-websocket-key") };
}

describe("to an application that speaks HTTP/1.1", () => {
  const ask = (head: Partial<RequestHead> = {}, overHttp2 = true) =>
    asked(askForAccept(byChance()), { ...websocket, ...head }, overHttp2);

  it("asks for the proof that its client over HTTP/2 could not ask for, and keeps it to itself", () => {
    const { caller, upstream, keys } = ask();
    expect(keys()).toEqual([key]);
    const head = responseHead(101, { "sec-websocket-accept": accept, "sec-websocket-protocol": "chat" });
    upstream.response.head(head);
    expect(caller.calls).toEqual([["head", 101]]);
    expect(head.headers.flat).toEqual(["sec-websocket-protocol", "chat"]);
  });

  it.each<[string, string[]]>([
    ["no proof", []],
    ["the proof of another key", ["sec-websocket-accept", "HSmrc0sMlYUkAGmm5OPpG2HaGWk="]],
    ["two proofs", ["sec-websocket-accept", accept, "sec-websocket-accept", accept]],
  ])("takes no 101 with %s for a WebSocket", (_what, fields) => {
    const { caller, upstream } = ask();
    upstream.response.head({ status: 101, headers: new HeaderFields(fields), bodyless: false });
    upstream.response.writeResponse(Buffer.from("evil"));
    expect(caller.calls).toEqual([["abort", "bad_response"]]);
    expect(upstream.calls).toEqual([["abort", "bad_response"]]);
  });

  it("uses another key for another try", () => {
    const refused = ask();
    refused.upstream.response.head(responseHead(503));
    const failed = ask();
    failed.upstream.response.abortResponse(new MeshError("upstream_reset", ""));
    const given = ask();
    given.sink.abortRequest(new MeshError("upstream_closed", ""));
    expect([...refused.keys(), ...failed.keys(), ...given.keys()]).toEqual([]);
  });

  it("does not remove the key of another try when a former one ends late, nor one of the client's that a filter had held back", () => {
    const former = ask();
    former.upstream.response.head(responseHead(503));
    former.exchange.headers.append("sec-websocket-key", "later");
    former.sink.abortRequest(new MeshError("upstream_reset", ""));
    expect(former.keys()).toEqual(["later"]);

    const filtered = ask();
    filtered.exchange.headers = new HeaderFields(["sec-websocket-key", "own"]);
    filtered.upstream.response.head(responseHead(503));
    expect(filtered.keys()).toEqual(["own"]);
  });

  it("adds nothing for a client over HTTP/1.1, for one that has asked itself, or for another protocol", () => {
    expect(ask({}, false).keys()).toEqual([]);
    expect(ask({ headers: new HeaderFields(["sec-websocket-key", "own"]) }).keys()).toEqual(["own"]);
    expect(ask({ upgrade: "mqtt" }).keys()).toEqual([]);
  });
});

describe("to an application that speaks HTTP/2", () => {
  const give = (fields: string[]) => asked(giveAccept(), { ...websocket, headers: new HeaderFields(fields) }, false);

  it("gives the client over HTTP/1.1 the proof that it asked for", () => {
    const { upstream } = give(["sec-websocket-key", key]);
    const head = responseHead(101);
    upstream.response.head(head);
    expect(head.headers.all("sec-websocket-accept")).toEqual([accept]);
  });

  it("gives none with another response, beside an existing one, or to a client that did not ask", () => {
    for (const [fields, head] of [
      [["sec-websocket-key", key], responseHead(403)],
      [["sec-websocket-key", key], responseHead(101, { "sec-websocket-accept": "own" })],
      [[], responseHead(101)],
    ] as const) {
      const before = [...head.headers.flat];
      give([...fields]).upstream.response.head(head);
      expect(head.headers.flat).toEqual(before);
    }
  });
});
