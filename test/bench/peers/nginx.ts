/** nginx: as the application behind all chains, and as a pair of sidecars with an HTTP/1.1 link. */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Chain } from "../chain.ts";
import { type Ground, portsFrom } from "../ground.ts";
import type { Command } from "../processes.ts";

const answer = `{"id":42,"name":"widget","price":1999,"stock":17}`;

/** An application that gives every request the same answer, on `count` ports. */
export function nginxApplication(ground: Ground, count = 1): Command {
  const listens = portsFrom(ground.app, count)
    .map(({ host, port }) => `listen ${host}:${port} backlog=4096;`)
    .join("\n    ");
  const server = `${listens}
    location / { default_type application/json; return 200 '${answer}'; }`;
  return nginxCommand(ground, "app", "", server);
}

export const nginx: Chain = {
  name: "nginx",
  async prepare(ground, wire) {
    if (wire !== "http1") throw new Error(`nginx is not compared on ${wire}`);
    const { folder, app, out } = ground;
    const serverTls = `ssl_certificate ${folder}/server.pem; ssl_certificate_key ${folder}/server.key;
  ssl_client_certificate ${folder}/ca.pem; ssl_verify_client on; ssl_protocols TLSv1.3;`;
    const clientTls = `proxy_ssl_certificate ${folder}/client.pem; proxy_ssl_certificate_key ${folder}/client.key;
      proxy_ssl_trusted_certificate ${folder}/ca.pem; proxy_ssl_verify on; proxy_ssl_name server; proxy_ssl_protocols TLSv1.3;`;
    const link = `${ground.in.host}:${ground.in.port}`;
    const inbound = proxying(`${app.host}:${app.port}`, `${link} ssl`, "http", "", serverTls);
    const outbound = proxying(link, `${out.host}:${out.port}`, "https", clientTls, "");
    return {
      inbound: nginxCommand(ground, "nginx-in", inbound.http, inbound.server),
      outbound: nginxCommand(ground, "nginx-out", outbound.http, outbound.server),
      link: ground.in,
    };
  },
};

function proxying(to: string, listen: string, scheme: string, location: string, http: string) {
  return {
    http: `${http}
  upstream u { server ${to}; keepalive 256; keepalive_requests 100000000; }`,
    server: `listen ${listen};
    location / { proxy_pass ${scheme}://u; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host;
      ${location} }`,
  };
}

function nginxCommand({ folder, tools }: Ground, name: string, http: string, server: string): Command {
  const file = join(folder, `${name}.conf`);
  writeFileSync(
    file,
    `worker_processes 1; daemon off; pid ${folder}/${name}.pid; error_log stderr crit;
events { worker_connections 16384; }
http {
  access_log off; keepalive_requests 100000000; keepalive_timeout 600;
  ${http}
  server {
    ${server}
  }
}
`,
  );
  return { command: tools.require("nginx"), args: ["-c", file] };
}
