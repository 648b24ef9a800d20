import { expect, it } from "vitest";
import { ClientConnection } from "../../../sidecar/net/client-connection.ts";
import type { Exchange } from "../../../sidecar/net/exchange.ts";
import { HeaderFields } from "../../../sidecar/net/header-fields.ts";
import { BoundConnections } from "../../../sidecar/policy/bound-connections.ts";
import { workloadId } from "../../support/authority.ts";
import { exchangeOf, RecordingCaller, RecordingUpstream, responseHead } from "../../support/exchange.ts";

const web = workloadId("web");

function bound() {
  let ids = 0;
  const connections = new BoundConnections(() => `id${ids++}`);
  const recall = (peer: string, id?: string): Exchange => {
    const headers = new HeaderFields(id === undefined ? [] : ["tulle-connection", id]);
    const exchange = exchangeOf({ headers });
    exchange.peer = peer;
    connections.recall(new RecordingUpstream().service)(exchange, new RecordingCaller());
    return exchange;
  };
  /** An answer of an application that has bound the connection. */
  const bind = (client = new ClientConnection()) => {
    const exchange = recall(web);
    exchange.client = client;
    const own = { destroyed: false, destroy: () => (own.destroyed = true) };
    client.own(own);
    const head = responseHead(401);
    connections.announce(exchange, head);
    return { client, own, id: head.headers.get("tulle-connection") };
  };
  return { connections, recall, bind };
}

it("finds a client's connection again by its id, but only for the workload that got the id", () => {
  const { recall, bind } = bound();
  const { client, id } = bind();
  expect(id).toBe("id0");
  expect(recall(web, id).client).toBe(client);
  expect(recall(workloadId("other"), id).client).toBeUndefined();
  expect(recall(web, "id1").client).toBeUndefined();
  expect(recall(web).client).toBeUndefined();
});

it("announces the same id again, and none if nothing is bound", () => {
  const { connections, bind } = bound();
  const { client } = bind();
  expect(bind(client).id).toBe("id0");
  const head = responseHead(200);
  connections.announce(exchangeOf(), head);
  expect(head.headers.has("tulle-connection")).toBe(false);
});

it("forgets an id with the last connection of its client", () => {
  const { connections, recall, bind } = bound();
  const { client, own, id } = bind();
  client.disown(own);
  expect([connections.size, recall(web, id).client]).toEqual([0, undefined]);
});

it("keeps a thousand, and closes the oldest to make room", () => {
  const { connections, recall, bind } = bound();
  const first = bind();
  for (let i = 0; i < 1_000; i++) bind();
  expect([connections.size, first.own.destroyed, recall(web, first.id).client]).toEqual([1_000, true, undefined]);
});
