/**
 * The services of `proto/tulle/v1`, loaded at start, from which servers and clients are built. When run from source, the .proto
 * files are in this file's folder; from a bundle, in the folder `proto` next to the bundle.
 */

import { existsSync } from "node:fs";
import { join } from "node:path";
import { loadPackageDefinition, logVerbosity, setLogVerbosity } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import type { ProtoGrpcType as DiscoveryType } from "./generated/discovery.ts";
import type { ProtoGrpcType as IdentityType } from "./generated/identity.ts";
import type { ProtoGrpcType as ReplicasType } from "./generated/replicas.ts";

// Errors reach callers as values; grpc-js would also print them on standard error, in its own format.
if (process.env["GRPC_VERBOSITY"] === undefined) setLogVerbosity(logVerbosity.NONE);

export const protoFiles = ["tulle/v1/discovery.proto", "tulle/v1/identity.proto", "tulle/v1/replicas.proto"];

function findProtoFolder(): string {
  const folders = [import.meta.dirname, join(import.meta.dirname, "proto")];
  const found = folders.find((folder) => protoFiles.every((file) => existsSync(join(folder, file))));
  if (found === undefined) throw new Error(`no ${protoFiles.join(", ")} in ${folders.join(" or ")}`);
  return found;
}

const definition = loadSync(protoFiles, {
  includeDirs: [findProtoFolder()],
  longs: Number,
  enums: String,
  defaults: true,
  arrays: true,
  oneofs: true,
});

// The object that grpc-js builds has the shape that the generator wrote down, since both have the same options.
const loaded = loadPackageDefinition(definition) as unknown as DiscoveryType & IdentityType & ReplicasType;

export const Discovery = loaded.tulle.v1.Discovery;
export const Identity = loaded.tulle.v1.Identity;
export const Replicas = loaded.tulle.v1.Replicas;
