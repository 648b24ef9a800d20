/** HAProxy as a pair of sidecars: one thread, connections reused, TLS 1.3 with both certificates checked. */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Chain } from "../chain.ts";
import { type Ground, portsFrom, type Wire } from "../ground.ts";
import type { Command } from "../processes.ts";

/** `link`: the protocol between the two. The inbound proxy chooses among `endpoints` ports of the application. */
export function haproxy(name: string, link: "http/1.1" | "h2", endpoints = 1): Chain {
  return {
    name,
    async prepare(ground, wire) {
      const command = ground.tools.require("haproxy");
      const proxy = (end: "out" | "in"): Command => {
        const file = join(ground.folder, `${name}-${end}.cfg`);
        writeFileSync(file, configuration(ground, wire, link, end, endpoints));
        return { command, args: ["-db", "-f", file] };
      };
      return { inbound: proxy("in"), outbound: proxy("out"), link: ground.in };
    },
  };
}

function configuration(ground: Ground, wire: Wire, link: string, end: "out" | "in", endpoints: number): string {
  const { folder, out, app } = ground;
  const plain = { http1: "proto h1", http2: "proto h2", tcp: "" }[wire];
  const tls = `ca-file ${folder}/ca.pem verify required ssl-min-ver TLSv1.3${wire === "tcp" ? "" : ` alpn ${link}`}`;
  const [bind, servers] =
    end === "out"
      ? [
          `${out.host}:${out.port} ${plain}`,
          [
            `${ground.in.host}:${ground.in.port} ssl crt ${folder}/client.both.pem ${tls} sni str(server) verifyhost server`,
          ],
        ]
      : [
          `${ground.in.host}:${ground.in.port} ssl crt ${folder}/server.both.pem ${tls}`,
          portsFrom(app, endpoints).map(({ host, port }) => `${host}:${port} ${wire === "http2" ? plain : ""}`),
        ];
  return `global
  nbthread 1
defaults
  mode ${wire === "tcp" ? "tcp" : "http"}
  timeout connect 2s
  timeout client 600s
  timeout server 600s
  ${wire === "tcp" ? "" : "http-reuse always"}
frontend f
  bind ${bind}
  default_backend b
backend b
  ${endpoints > 1 ? "balance random" : ""}
  ${servers.map((server, index) => `server s${index} ${server}`).join("\n  ")}
`;
}
