/** Applications that authenticate a connection instead of a request (NTLM, Negotiate): the same through the mesh as without it. */

import http from "node:http";
import type net from "node:net";
import { expect, it } from "vitest";
import { answerTo } from "../support/answer-to.ts";
import { eventually } from "../support/eventually.ts";
import { TestMesh as Mesh, meshed, nextPodIp, type TestMesh } from "../support/sidecar-pair.ts";

/** Says who a connection has logged in as; logs in by NTLM's three messages, each on the same connection. */
class LoginApplication {
  readonly #users = new Map<net.Socket, string>();
  readonly #challenged = new Set<net.Socket>();
  readonly #name: string;
  readonly sockets = new Set<net.Socket>();

  constructor(name: string) {
    this.#name = name;
  }

  readonly listener: http.RequestListener = ({ socket, headers }, response) => {
    if (!this.sockets.has(socket)) socket.on("close", () => this.sockets.delete(socket));
    this.sockets.add(socket);
    const [scheme, message] = (headers.authorization ?? "").split(" ");
    if (scheme === "NTLM" && message === "hello") {
      this.#challenged.add(socket);
      return response.writeHead(401, { "WWW-Authenticate": "NTLM challenge" }).end();
    }
    if (scheme === "NTLM" && message !== undefined && this.#challenged.delete(socket)) this.#users.set(socket, message);
    const user = this.#users.get(socket);
    if (user !== undefined) return response.end(`${user} at ${this.#name}`);
    return response.writeHead(401, { "WWW-Authenticate": "NTLM" }).end();
  };
}

/** A client with one connection of its own. */
class Client {
  readonly agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  readonly #host: string;

  constructor(host: string) {
    this.#host = host;
  }

  async ask(authorization?: string, method = "GET"): Promise<string> {
    const request = http.request({
      host: this.#host,
      port: 9001,
      agent: this.agent,
      method,
      headers: { host: "orders", ...(authorization !== undefined && { authorization }) },
    });
    request.end(method === "POST" ? "body" : undefined);
    const response = await answerTo(request);
    let body = "";
    for await (const chunk of response) body += String(chunk);
    const leaked = Object.keys(response.headers).filter((name) => name.startsWith("tulle-"));
    if (leaked.length > 0) return `leaked ${leaked.join(", ")}`;
    return response.statusCode === 401 ? `401 ${response.headers["www-authenticate"]}` : body;
  }

  /** The three answers of a login. */
  async logIn(user: string): Promise<string[]> {
    return [await this.ask(), await this.ask("NTLM hello"), await this.ask(`NTLM ${user}`, "POST")];
  }
}

async function open(mesh: TestMesh, kind: "meshed" | "plain", replicas: number) {
  const host = nextPodIp();
  await mesh.sidecar("web", { upstreams: [{ host: "orders", port: 80, listenHost: host, listenPort: 9001 }] });
  const applications: LoginApplication[] = [];
  const endpoints = [];
  for (let i = 0; i < replicas; i++) {
    const podIp = kind === "plain" ? nextPodIp() : (await mesh.sidecar("orders")).podIp;
    const application = new LoginApplication(`orders-${i}`);
    await mesh.application(podIp, application.listener);
    applications.push(application);
    const { identity, ...plain } = meshed(podIp, "orders");
    endpoints.push(kind === "plain" ? plain : { ...plain, identity: String(identity) });
  }
  mesh.service("orders", endpoints);
  return { applications, client: () => new Client(host) };
}

it.each(["meshed", "plain"] as const)(
  "logs a client in by its connection to a %s pod, and nobody else",
  async (kind) => {
    await using mesh = await Mesh.open();
    const { client } = await open(mesh, kind, 3);
    const [ada, bob, eve] = [client(), client(), client()];
    expect((await ada.logIn("ada")).join()).toMatch(/^401 NTLM,401 NTLM challenge,ada at /);
    expect((await bob.logIn("bob")).join()).toMatch(/^401 NTLM,401 NTLM challenge,bob at /);
    for (let i = 0; i < 10; i++) {
      expect(await ada.ask()).toMatch(/^ada at /);
      expect(await bob.ask(undefined, "POST")).toMatch(/^bob at /);
      expect(await eve.ask()).toBe("401 NTLM");
    }
    ada.agent.destroy();
    const later = client();
    for (let i = 0; i < 10; i++) expect(await later.ask()).toBe("401 NTLM");
    expect(await bob.ask()).toMatch(/^bob at /);
    for (const { agent } of [bob, eve, later]) agent.destroy();
  },
);

it("requires a new login if the application has closed the connection", async () => {
  await using mesh = await Mesh.open();
  const { client, applications } = await open(mesh, "meshed", 1);
  const ada = client();
  await ada.logIn("ada");
  for (const socket of applications[0]?.sockets ?? []) socket.destroy();
  await eventually(() => applications[0]?.sockets.size === 0);
  expect(await ada.logIn("ada")).toEqual(["401 NTLM", "401 NTLM challenge", "ada at orders-0"]);
  expect(await ada.ask()).toBe("ada at orders-0");
  ada.agent.destroy();
});

it("closes a client's own connection when the client is gone, if there is no other sidecar between", async () => {
  await using mesh = await Mesh.open();
  const { client, applications } = await open(mesh, "plain", 1);
  const ada = client();
  await ada.logIn("ada");
  expect(applications[0]?.sockets.size).toBe(1);
  ada.agent.destroy();
  await eventually(() => applications[0]?.sockets.size === 0);
});
