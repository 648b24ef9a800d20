/** Envoy as a pair of sidecars: one worker, both SPIFFE ids checked, retries, a timeout and outlier detection on. */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import type { Chain } from "../chain.ts";
import { type Ground, portsFrom, type Wire } from "../ground.ts";
import type { Command, Endpoint } from "../processes.ts";

type Link = "http/1.1" | "h2";
type End = "out" | "in";

/** `link`: the protocol between the two. The inbound proxy chooses among `endpoints` ports of the application. */
export function envoy(name: string, link: Link, endpoints = 1): Chain {
  return {
    name,
    async prepare(ground, wire) {
      const command = ground.tools.require("envoy");
      const proxy = (end: End): Command => {
        const file = join(ground.folder, `${name}-${end}.yaml`);
        writeFileSync(file, stringify(configuration(ground, wire, link, end, endpoints)));
        return { command, args: ["-c", file, "--concurrency", "1", "--disable-hot-restart", "-l", "critical"] };
      };
      return { inbound: proxy("in"), outbound: proxy("out"), link: ground.in };
    },
  };
}

function typed(name: string, fields: object): object {
  return { "@type": `type.googleapis.com/envoy.extensions.${name}`, ...fields };
}

function configuration(ground: Ground, wire: Wire, link: Link, end: End, endpoints: number): object {
  const outbound = end === "out";
  const listener = {
    name: "l",
    address: address(outbound ? ground.out : ground.in),
    filter_chains: [{ filters: [connectionFilter(wire, outbound)], ...(outbound ? {} : downstreamTls(ground, link)) }],
  };
  const upstreams = outbound ? [ground.in] : portsFrom(ground.app, endpoints);
  const cluster = {
    name: "c",
    type: "STATIC",
    connect_timeout: "1s",
    ...(endpoints > 1 && { lb_policy: "LEAST_REQUEST" }),
    load_assignment: {
      cluster_name: "c",
      endpoints: [{ lb_endpoints: upstreams.map((upstream) => ({ endpoint: { address: address(upstream) } })) }],
    },
    ...(wire === "tcp" ? {} : upstreamProtocol(outbound ? link === "h2" : wire === "http2")),
    ...(outbound ? { ...breakers, ...upstreamTls(ground, link) } : {}),
  };
  return { static_resources: { listeners: [listener], clusters: [cluster] } };
}

function address({ host, port }: Endpoint): object {
  return { socket_address: { address: host, port_value: port } };
}

function connectionFilter(wire: Wire, outbound: boolean): object {
  if (wire === "tcp") {
    const proxy = typed("filters.network.tcp_proxy.v3.TcpProxy", { stat_prefix: "x", cluster: "c" });
    return { name: "tcp", typed_config: proxy };
  }
  const retry = { retry_policy: { retry_on: "connect-failure,refused-stream,gateway-error", num_retries: 2 } };
  const route = { match: { prefix: "/" }, route: { cluster: "c", timeout: "15s", ...(outbound ? retry : {}) } };
  return {
    name: "hcm",
    typed_config: typed("filters.network.http_connection_manager.v3.HttpConnectionManager", {
      stat_prefix: "x",
      codec_type: "AUTO",
      normalize_path: true,
      route_config: { virtual_hosts: [{ name: "v", domains: ["*"], routes: [route] }] },
      http_filters: [{ name: "router", typed_config: typed("filters.http.router.v3.Router", {}) }],
    }),
  };
}

function upstreamProtocol(http2: boolean): object {
  const explicit = http2 ? { http2_protocol_options: {} } : { http_protocol_options: {} };
  const name = "upstreams.http.v3.HttpProtocolOptions";
  const options = typed(name, { explicit_http_config: explicit });
  return { typed_extension_protocol_options: { [`envoy.extensions.${name}`]: options } };
}

const breakers = {
  circuit_breakers: { thresholds: [{ max_connections: 4096, max_pending_requests: 4096, max_requests: 8192 }] },
  outlier_detection: { consecutive_5xx: 5, interval: "1s", base_ejection_time: "5s" },
};

function downstreamTls(ground: Ground, link: Link): object {
  const context = { require_client_certificate: true, ...commonTls(ground, link, "server", "client") };
  return {
    transport_socket: { name: "tls", typed_config: typed("transport_sockets.tls.v3.DownstreamTlsContext", context) },
  };
}

function upstreamTls(ground: Ground, link: Link): object {
  const context = { sni: "server", ...commonTls(ground, link, "client", "server") };
  return {
    transport_socket: { name: "tls", typed_config: typed("transport_sockets.tls.v3.UpstreamTlsContext", context) },
  };
}

function commonTls({ folder }: Ground, link: Link, own: string, peer: string): object {
  const file = (name: string) => ({ filename: join(folder, name) });
  const peerId = { san_type: "URI", matcher: { exact: `spiffe://cluster.local/ns/bench/sa/${peer}` } };
  return {
    common_tls_context: {
      alpn_protocols: [link],
      tls_params: { tls_minimum_protocol_version: "TLSv1_3", tls_maximum_protocol_version: "TLSv1_3" },
      tls_certificates: [{ certificate_chain: file(`${own}.pem`), private_key: file(`${own}.key`) }],
      validation_context: { trusted_ca: file("ca.pem"), match_typed_subject_alt_names: [peerId] },
    },
  };
}
