/**
 * `npm run proto`: writes the types of `proto/tulle/v1`, and the tables that `wire.ts` reads, to `proto/generated`. A test
 * fails when they are stale. The options match those of `load.ts`, which decide what the loaded code does; these decide what
 * the types say about it.
 */

import { spawnSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import protobuf from "protobufjs";
import { protoFiles } from "./load.ts";
import type { FieldTable } from "./wire.ts";

/** Throws if the generator can't be run. */
export function generate(outDir: string): void {
  rmSync(outDir, { recursive: true, force: true });
  const options = ["--longs=Number", "--enums=String", "--defaults", "--arrays", "--oneofs"];
  const output = ["--grpcLib=@grpc/grpc-js", "--importFileExtension=.ts", `--outDir=${outDir}`];
  const generator = join(import.meta.dirname, "../node_modules/@grpc/proto-loader/build/bin/proto-loader-gen-types.js");
  // Relative, because the generator writes the paths into its output.
  const args = [generator, ...protoFiles, ...options, ...output, "--includeDirs=."];
  const { status, error, stderr } = spawnSync(process.execPath, args, { cwd: import.meta.dirname, encoding: "utf8" });
  if (error) throw error;
  if (status !== 0) throw new Error(`proto-loader-gen-types ended with ${status}: ${stderr}`);
  writeFileSync(join(outDir, "tables.ts"), tables());
}

/** All messages and enums of the package, as TypeScript. */
function tables(): string {
  const root = new protobuf.Root();
  root.resolvePath = (_origin, target) => join(import.meta.dirname, target);
  root.loadSync([...protoFiles]).resolveAll();
  const named = root.lookup("tulle.v1");
  if (!(named instanceof protobuf.Namespace)) throw new Error("there is no package tulle.v1");
  const messages: Record<string, readonly FieldTable[]> = {};
  const enums: Record<string, Record<string, number>> = {};
  for (const one of named.nestedArray) {
    if (one instanceof protobuf.Type) messages[one.name] = one.fieldsArray.map(fieldTable);
    else if (one instanceof protobuf.Enum) enums[one.name] = one.values;
  }
  return `// Made from tulle/v1/*.proto.

import type { FieldTable } from '../wire.ts';

export const enums = ${JSON.stringify(enums, undefined, 2)} as const;

export const messages = ${JSON.stringify(messages, undefined, 2)} as const satisfies Record<string, readonly FieldTable[]>;
`;
}

const scalars = new Set<string>([
  "string",
  "bytes",
  "bool",
  "uint32",
  "uint64",
  "double",
] satisfies FieldTable["kind"][]);

function fieldTable(field: protobuf.Field): FieldTable {
  const { name, id, type, resolvedType, repeated, partOf } = field;
  const reference = resolvedType instanceof protobuf.Enum ? "enum" : "message";
  const kind = resolvedType === null ? type : reference;
  if (field.map || (resolvedType === null && !scalars.has(type)))
    throw new Error(`${field.fullName}: wire.ts knows no ${type}`);
  return {
    name,
    number: id,
    kind: kind as FieldTable["kind"],
    ...(resolvedType === null ? {} : { of: resolvedType.name }),
    ...(repeated ? { repeated: true } : {}),
    ...(partOf === null ? {} : { oneof: partOf.name }),
  };
}

if (process.argv[1] === import.meta.filename) generate(join(import.meta.dirname, "generated"));
