/** One stream from another replica, from the dial to its end: what that replica's sidecars have in force. It dials once. */

import { createSecureContext } from "node:tls";
import { ChannelCredentials, type ClientReadableStream } from "@grpc/grpc-js";
import { readPeerIdentity } from "../../model/peer-identity.ts";
import { decodeName } from "../../proto/decode.ts";
import type { AckTable__Output } from "../../proto/generated/tulle/v1/AckTable.ts";
import { Replicas } from "../../proto/load.ts";
import type { ReplicaCertificates } from "../identity/census.ts";
import type { ServerCertificate } from "../identity/server-certificate.ts";
import type { ResourceAcks } from "../push/acks.ts";
import { type ResourceKey, resourceKey } from "../push/resource-key.ts";
import { decodeAcks } from "./ack-table.ts";
import { CertificateTable } from "./certificate-table.ts";

export interface FollowOptions {
  readonly address: string;
  /** The name of this replica, which asks. */
  readonly replica: string;
  readonly certificate: ServerCertificate;
  /** The identity that the other end must have. */
  readonly identity: string;
  /** Called with the names of resources whose figures have changed. */
  readonly onChange: (keys: readonly ResourceKey[]) => void;
  /** Called once, whatever ended it; the table is empty by then. */
  readonly onEnd: (reason: string) => void;
}

const channelOptions = {
  // Replicas are dialled by address, and TLS has no name for one. The SPIFFE id decides who may answer.
  "grpc.ssl_target_name_override": "tulle-control-plane",
  "grpc.keepalive_time_ms": 10_000,
  "grpc.keepalive_timeout_ms": 5_000,
  "grpc.enable_retries": 0,
  // Otherwise two replicas behind one address would share a channel.
  "grpc.use_local_subchannel_pool": 1,
};

export class FollowedReplica {
  readonly address: string;
  readonly #client: InstanceType<typeof Replicas>;
  readonly #call: ClientReadableStream<AckTable__Output>;
  readonly #options: FollowOptions;
  readonly #table = new Map<ResourceKey, ResourceAcks>();
  readonly #certificates = new CertificateTable();
  #name: string | undefined;
  #ended = false;

  constructor(options: FollowOptions) {
    const { address, certificate, identity, replica } = options;
    this.address = address;
    this.#options = options;
    const context = createSecureContext({
      cert: certificate.certificateChainPem,
      key: certificate.privateKeyPem,
      ca: certificate.trustBundlePem,
      minVersion: "TLSv1.3",
    });
    const credentials = ChannelCredentials.createFromSecureContext(context, {
      checkServerIdentity: (_host, { raw }) => wrongPeer(raw, identity),
    });
    this.#client = new Replicas(address, credentials, channelOptions);
    this.#call = this.#client.Follow({ replica });
    this.#call.on("data", (table: AckTable__Output) => this.#take(table));
    this.#call.on("error", (error: Error) => this.#end(error.message));
    this.#call.on("end", () => this.#end("ended by the other replica"));
  }

  /** The replica's own name; undefined: it has sent nothing yet. */
  get name(): string | undefined {
    return this.#name;
  }

  /** Undefined: none of its sidecars has subscribed. */
  acksOf(key: ResourceKey): ResourceAcks | undefined {
    return this.#table.get(key);
  }

  /** Undefined: it has not reported yet. */
  get certificates(): ReplicaCertificates | undefined {
    return this.#name === undefined ? undefined : this.#certificates.read(this.#name);
  }

  close(): void {
    this.#end("closed");
  }

  #take({ replica, resources, dropped, certificates }: AckTable__Output): void {
    if (this.#ended) return;
    this.#name = replica;
    if (certificates !== null) this.#certificates.take(certificates);
    const changed: ResourceKey[] = [];
    for (const message of resources) {
      const acks = decodeAcks(message);
      if (acks === undefined) continue;
      const key = resourceKey(acks.kind, acks.name);
      this.#table.set(key, acks);
      changed.push(key);
    }
    for (const message of dropped) {
      const name = decodeName(message);
      if (name === undefined) continue;
      const key = resourceKey(name.kind, name.name);
      if (this.#table.delete(key)) changed.push(key);
    }
    this.#options.onChange(changed);
  }

  #end(reason: string): void {
    if (this.#ended) return;
    this.#ended = true;
    const keys = [...this.#table.keys()];
    this.#table.clear();
    this.#certificates.clear();
    this.#call.cancel();
    this.#client.close();
    this.#options.onChange(keys);
    this.#options.onEnd(reason);
  }
}

function wrongPeer(raw: Buffer, expected: string): Error | undefined {
  const identity = readPeerIdentity(raw);
  if (identity.ok && identity.value === expected) return undefined;
  return new Error(`the other end is not ${expected}`);
}
