/**
 * What a release spoke, as it is kept in a folder of its own here: its .proto files, and what its control plane pushed for each
 * of the golden inputs of that time. `freeze.ts` writes such a folder; nobody changes it afterwards.
 */

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { loadPackageDefinition } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import protobuf from "protobufjs";
import { Pipeline } from "../../control-plane/pipeline.ts";
import { parseManifest } from "../../control-plane/source/manifest.ts";
import { encodeResource, encodeUpdate } from "../../proto/encode.ts";
import type { ProtoGrpcType as DiscoveryType } from "../../proto/generated/discovery.ts";
import type { ProtoGrpcType as IdentityType } from "../../proto/generated/identity.ts";

export const protoFiles = ["discovery", "identity", "replicas"].map((name) => `tulle/v1/${name}.proto`);

export interface Push {
  readonly name: string;
  /** What its user wrote. */
  readonly manifest: string;
  /** One Update with all resources, as it travelled. */
  readonly update: Buffer;
}

export interface Release {
  readonly version: string;
  readonly protoFolder: string;
  readonly pushes: readonly Push[];
}

interface KeptPush {
  readonly manifest: string;
  readonly update: string;
}

export function releases(): readonly Release[] {
  const folders = readdirSync(import.meta.dirname, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return folders.map(({ name: version }) => {
    const folder = join(import.meta.dirname, version);
    const kept = JSON.parse(readFileSync(join(folder, "pushes.json"), "utf8")) as Readonly<Record<string, KeptPush>>;
    const pushes = Object.entries(kept).map(([name, { manifest, update }]) => {
      return { name, manifest, update: Buffer.from(update, "base64") };
    });
    return { version, protoFolder: folder, pushes };
  });
}

/** What today's control plane pushes for a manifest. */
export function updateFor(manifest: string, file: string): Buffer {
  const pipeline = new Pipeline({ clusterDomain: "cluster.local", trustDomain: "cluster.local" });
  const { objects, problems } = parseManifest(manifest, file);
  pipeline.apply({ applied: objects, removed: [], problems });
  const published = (["inbound", "destination", "endpoints"] as const).flatMap((kind) => pipeline.snapshot.list(kind));
  return encodeUpdate({ resources: published.map(({ resource, version }) => encodeResource(resource, version)) });
}

/** All messages and enums below `protoFolder`, by name. */
export function typesOf(protoFolder: string): ReadonlyMap<string, protobuf.Type | protobuf.Enum> {
  const root = new protobuf.Root();
  root.resolvePath = (_, target) => join(protoFolder, target);
  root.loadSync(protoFiles, { keepCase: true });
  const found = new Map<string, protobuf.Type | protobuf.Enum>();
  const gather = (at: protobuf.NamespaceBase): void => {
    for (const nested of at.nestedArray) {
      if (nested instanceof protobuf.Type || nested instanceof protobuf.Enum) found.set(nested.fullName, nested);
      if (nested instanceof protobuf.Namespace) gather(nested);
    }
  };
  root.resolveAll();
  gather(root);
  return found;
}

/** Clients and services of a release, as its own code made them of its .proto files. */
export function grpcOf(protoFolder: string): DiscoveryType & IdentityType {
  const options = { longs: Number, enums: String, defaults: true, arrays: true, oneofs: true };
  const definition = loadSync([...protoFiles], { includeDirs: [protoFolder], ...options });
  // Today's types are those of the release and more.
  return loadPackageDefinition(definition) as unknown as DiscoveryType & IdentityType;
}
