/** A sidecar as far as the push is concerned: it subscribes with a certificate of its own, and acks or nacks what arrives. */

import { generateKeyPairSync, X509Certificate } from "node:crypto";
import { createSecureContext } from "node:tls";
import { ChannelCredentials, type ClientDuplexStream } from "@grpc/grpc-js";
import type { SidecarMessage } from "../../../proto/generated/tulle/v1/SidecarMessage.ts";
import type { Update__Output } from "../../../proto/generated/tulle/v1/Update.ts";
import { Discovery } from "../../../proto/load.ts";
import { buildCertificateRequest } from "../../../sidecar/identity/certificate-request.ts";
import { askForCertificate } from "./workload.ts";

export interface SubscriberOptions {
  readonly host: string;
  readonly ports: { readonly discovery: number; readonly identity: number };
  readonly trustBundlePem: string;
  readonly token: string;
  readonly namespace: string;
  readonly pod: string;
  /** Of a Destination. */
  readonly destination: string;
  /** Why an update is refused; undefined: it is taken. Asked for each. */
  readonly refusal: () => string | undefined;
}

/** Returns what ends it. */
export async function subscribe(options: SubscriberOptions): Promise<() => void> {
  const { host, ports, trustBundlePem, token, namespace, pod, destination, refusal } = options;
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const requestDer = buildCertificateRequest(privateKey);
  const asking = { host, identityPort: ports.identity, trustBundlePem, token, requestDer };
  const { certificateChainDer } = await askForCertificate(asking);
  const cert = certificateChainDer.map((der) => new X509Certificate(der).toString()).join("");
  const key = privateKey.export({ type: "pkcs8", format: "pem" });
  const context = createSecureContext({ cert, key, ca: trustBundlePem });
  const channel = ChannelCredentials.createFromSecureContext(context, { checkServerIdentity: () => undefined });
  const client = new Discovery(`${host}:${ports.discovery}`, channel, {
    "grpc.ssl_target_name_override": "tulle-control-plane",
  });
  const call: ClientDuplexStream<SidecarMessage, Update__Output> = client.Stream();
  call.on("error", () => {}); // it ends with its control plane
  call.on("data", ({ resources }: Update__Output) => {
    for (const { name, version } of resources) {
      const resource = { kind: "RESOURCE_KIND_DESTINATION", name } as const;
      const reason = refusal();
      call.write(reason === undefined ? { ack: { resource, version } } : { nack: { resource, version, reason } });
    }
  });
  call.write({ hello: { namespace, workload: pod, pod, proxyVersion: "0.1.0" } });
  const resource = { kind: "RESOURCE_KIND_DESTINATION", name: destination } as const;
  call.write({ subscribe: { subscriptions: [{ resource, knownVersion: "" }] } });
  return () => {
    call.cancel();
    client.close();
  };
}
