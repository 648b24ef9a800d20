/** Who may connect to a sidecar, and which caller its application sees. */

import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { Claim } from "./claim.ts";
import type { Shop } from "./shop.ts";

const meshPort = 15008;
const appPort = 8080;
const patienceMs = 3_000;
const request = "GET /whoami HTTP/1.1\r\nHost: payments\r\nConnection: close\r\n\r\n";

export const refusesPlaintext: Claim = {
  name: "plaintext_refused",
  title: "plaintext to the mesh port is refused",
  async prove(shop: Shop) {
    const host = shop.podIP("payments");
    // The same bytes sent to the application's own port get an answer, so it is the mesh port that refuses them.
    const control = await exchange(connect(appPort, host));
    const plaintext = await exchange(connect(meshPort, host));
    const nobody = await exchange(
      connectTls({ port: meshPort, host, ALPNProtocols: ["h2"], rejectUnauthorized: false }),
    );
    const answered = control.startsWith("HTTP/1.1 200");
    const refused = !plaintext.includes("HTTP/1.") && nobody.length === 0;
    return {
      ok: answered && refused,
      says: `${plaintext.includes("HTTP/1.") ? "answered" : "closed without an answer"}; TLS without a certificate: ${nobody.length} bytes; the same request to the application itself: ${control.slice(9, 12)}`,
      figures: {
        plaintextBytes: plaintext.length,
        tlsWithoutCertificateBytes: nobody.length,
        controlStatus: control.slice(9, 12),
      },
    };
  },
};

/** What is received until the other side closes. Throws if it never does, or if nobody listens: that would prove nothing. */
function exchange(socket: Socket): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let connected = false;
    socket.setTimeout(patienceMs, () => {
      socket.destroy();
      reject(new Error(`the connection was not closed within ${patienceMs} ms`));
    });
    socket.on("connect", () => {
      connected = true;
    });
    socket.on("data", (chunk) => chunks.push(chunk));
    // A reset is a refusal too; "close" follows in any case.
    socket.on("error", () => undefined);
    socket.on("close", () => {
      if (connected) resolve(Buffer.concat(chunks).toString("latin1"));
      else reject(new Error("nobody listens on the port"));
    });
    socket.write(request);
  });
}

export const showsCaller: Claim = {
  name: "caller_identity",
  title: "payments sees who calls",
  async prove(shop: Shop) {
    const ask = {
      url: "http://payments/whoami",
      headers: { "tulle-client-id": "spiffe://cluster.local/ns/shop/sa/boss" },
    };
    const orders = clientOf((await shop.ask("orders", ask)).body);
    const web = clientOf((await shop.ask("web", ask)).body);
    const ok = orders === "spiffe://cluster.local/ns/shop/sa/orders" && web === "spiffe://cluster.local/ns/shop/sa/web";
    return { ok, says: `${orders}, and from web's pod ${web}, whatever the caller claims`, figures: { orders, web } };
  },
};

function clientOf(body: string): string {
  return /"client":"([^"]*)"/.exec(body)?.[1] ?? `no identity in ${body}`;
}
