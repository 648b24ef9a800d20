/** Traffic that is divided by weight, and follows a change of the weights. */

import { once } from "node:events";
import net from "node:net";
import { expect, it, onTestFinished } from "vitest";
import { eventually } from "../support/eventually.ts";
import { serviceYaml } from "../support/manifests.ts";
import { askThrough, meshed, type TestSidecar } from "../support/sidecar-pair.ts";
import { dialRaw } from "../support/sockets.ts";
import { apply, openShop, services, split } from "./routed-shop.ts";

it("flips from blue to green and back under load without a failed request", async () => {
  const { mesh, web } = await openShop();
  await using _ = mesh;
  const weigh = (blue: number, green: number) =>
    apply(
      mesh,
      services,
      split(`{service: orders, backends: [{service: blue, weight: ${blue}}, {service: green, weight: ${green}}]}`),
    );
  weigh(100, 0);

  const answers: string[] = [];
  let running = true;
  const clients = Array.from({ length: 8 }, async () => {
    while (running) {
      const { status, body } = await askThrough(web.podIp, "http://orders/", { method: "POST", body: "order" });
      answers.push(`${status} ${body}`);
    }
  });
  for (let flip = 0; flip < 10; flip++) {
    const [to, before] = [flip % 2 === 0 ? "200 green" : "200 blue", answers.length];
    weigh(flip % 2 === 0 ? 0 : 100, flip % 2 === 0 ? 100 : 0);
    // Eight may have been under way; all later ones go where the weights say.
    await eventually(() => answers.length > before + 50);
    expect(new Set(answers.slice(before + 8, before + 50))).toEqual(new Set([to]));
  }
  running = false;
  await Promise.all(clients);
  expect([...new Set(answers)].sort()).toEqual(["200 blue", "200 green"]);
}, 20_000);

it("keeps clients where they are when weights change, and moves only those it must", async () => {
  const { mesh, web } = await openShop();
  await using _ = mesh;
  const weigh = (blue: number, green: number) =>
    apply(
      mesh,
      services,
      split(`{service: orders, sticky: {by: cookie, name: user},
        backends: [{service: blue, weight: ${blue}}, {service: green, weight: ${green}}]}`),
    );
  const users = Array.from({ length: 40 }, (_, i) => `user-${i}`);
  const ask = (user: string) => askThrough(web.podIp, "http://orders/", { headers: { cookie: `a=b; user=${user}` } });
  const homes = async () => Promise.all(users.map(async (user) => (await ask(user)).body));

  weigh(50, 50);
  const before = await homes();
  expect(await homes()).toEqual(before);
  expect(new Set(before)).toEqual(new Set(["blue", "green"]));
  weigh(25, 50);
  const after = await homes();
  expect(after.every((home, i) => home === before[i] || before[i] === "blue")).toBe(true);
  weigh(0, 50);
  expect(new Set(await homes())).toEqual(new Set(["green"]));
});

it("splits opaque TCP by weight, connection by connection, and follows a flip", async () => {
  const { mesh, web } = await openShop();
  for (const name of ["blue", "green"]) {
    const { podIp } = await mesh.sidecar(name);
    const server = net.createServer((socket) => {
      socket.on("error", () => {}); // the test destroys the other end
      socket.on("data", () => socket.end(name));
    });
    server.listen(8080, podIp);
    await once(server, "listening");
    onTestFinished(() => void server.close());
    mesh.backend(name, [meshed(podIp, name)], { protocol: "opaque" });
  }
  const port = "port: 80, targetPort: 8080, appProtocol: tulle.dev/opaque";
  const opaque = ["orders", "blue", "green"].map((name) => serviceYaml(name, port)).join("");
  const weighted = (blue: number, green: number) =>
    split(`{service: orders, backends: [{service: blue, weight: ${blue}}, {service: green, weight: ${green}}]}`);
  apply(mesh, opaque, weighted(100, 0));
  expect(new Set(await dialTimes(web, 10))).toEqual(new Set(["blue"]));
  apply(mesh, opaque, weighted(0, 100));
  expect(new Set(await dialTimes(web, 10))).toEqual(new Set(["green"]));
  apply(mesh, opaque, weighted(50, 50));
  expect(new Set(await dialTimes(web, 40))).toEqual(new Set(["blue", "green"]));
});

/** Who answered each of so many connections, tunnelled by CONNECT. */
async function dialTimes({ podIp }: TestSidecar, times: number): Promise<string[]> {
  const answers: string[] = [];
  for (let i = 0; i < times; i++) {
    const socket = dialRaw({ host: podIp, port: 15_001 });
    socket.write("CONNECT orders:80 HTTP/1.1\r\nHost: orders:80\r\n\r\n");
    expect(String(await once(socket, "data"))).toMatch(/^HTTP\/1\.1 200 /);
    socket.write("\u0001hello");
    answers.push(String(await once(socket, "data")));
    socket.destroy();
  }
  return answers;
}
