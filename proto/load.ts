/**
 * The services of `proto/tulle/v1`, loaded at start: what servers and clients of them are made from.
 * From source the .proto files lie beside this file; from a bundle, in the folder `proto` beside the bundle.
 */

import { existsSync } from "node:fs";
import { join } from "node:path";
import { loadPackageDefinition, logVerbosity, setLogVerbosity } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import type { ProtoGrpcType as DiscoveryType } from "./generated/discovery.ts";
import type { ProtoGrpcType as IdentityType } from "./generated/identity.ts";
import type { ProtoGrpcType as ReplicasType } from "./generated/replicas.ts";

// What goes wrong comes to callers as errors; grpc-js would also write it to standard error, in lines of its own form.
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

// What grpc-js makes of a definition has the shape that the generator, given the same options, wrote down.
const loaded = loadPackageDefinition(definition) as unknown as DiscoveryType & IdentityType & ReplicasType;

export const Discovery = loaded.tulle.v1.Discovery;
export const Identity = loaded.tulle.v1.Identity;
export const Replicas = loaded.tulle.v1.Replicas;
