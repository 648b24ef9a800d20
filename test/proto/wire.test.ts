import { join } from "node:path";
import fc from "fast-check";
import protobuf from "protobufjs";
import { describe, expect, it } from "vitest";
import { encodeResource } from "../../proto/encode.ts";
import { enums, messages } from "../../proto/generated/tables.ts";
import { protoFiles } from "../../proto/load.ts";
import { decodeMessage, encodeMessage, type FieldTable, type MessageName } from "../../proto/wire.ts";
import { arbitraryResource } from "../support/arbitrary-resources.ts";

/** The library that the control plane's gRPC ports read and write with. */
const root = new protobuf.Root();
root.resolvePath = (_origin, target) => join(import.meta.dirname, "../../proto", target);
root.loadSync([...protoFiles]).resolveAll();
const asLoaded = { longs: Number, enums: String, defaults: true, arrays: true, oneofs: true };

const library = {
  encode: (name: MessageName, message: object): Buffer => {
    const type = root.lookupType(`tulle.v1.${name}`);
    return Buffer.from(type.encode(type.fromObject(message)).finish());
  },
  decode: (name: MessageName, bytes: Buffer): object => {
    const type = root.lookupType(`tulle.v1.${name}`);
    return type.toObject(type.decode(bytes), asLoaded);
  },
};

const names = Object.keys(messages) as MessageName[];

/** Any message of that name, with fields that are absent, and at most one of each group. */
function arbitraryMessage(name: string, depth = 4): fc.Arbitrary<Record<string, unknown>> {
  const fields = messages[name as MessageName] as readonly FieldTable[];
  const shown = fields.filter(({ kind }) => depth > 0 || kind !== "message");
  const values = Object.fromEntries(shown.map((field) => [field.name, arbitraryField(field, depth)]));
  return fc.record(values, { requiredKeys: [] }).map((message) => withoutRivals(message, fields));
}

function withoutRivals(message: Record<string, unknown>, fields: readonly FieldTable[]): Record<string, unknown> {
  const taken = new Set<string>();
  for (const { name, oneof } of fields) {
    if (oneof === undefined || message[name] === undefined) continue;
    if (taken.has(oneof)) delete message[name];
    taken.add(oneof);
  }
  return message;
}

function arbitraryField(field: FieldTable, depth: number): fc.Arbitrary<unknown> {
  const value = arbitraryValue(field, depth);
  return field.repeated ? fc.array(value, { maxLength: 3 }) : value;
}

function arbitraryValue({ kind, of = "" }: FieldTable, depth: number): fc.Arbitrary<unknown> {
  switch (kind) {
    case "string":
      return fc.string({ unit: "grapheme", maxLength: 200 });
    case "bytes":
      return fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes));
    case "bool":
      return fc.boolean();
    case "uint32":
      return fc.nat(0xffff_ffff);
    case "uint64":
      return fc.maxSafeNat();
    case "double":
      return fc.double({ noNaN: true });
    case "enum":
      return fc.constantFrom(...Object.keys(enums[of as keyof typeof enums]));
    case "message":
      return arbitraryMessage(of, depth - 1);
  }
}

describe.each(names)("%s", (name) => {
  it("is read and written as the library reads and writes it", () => {
    fc.assert(
      fc.property(arbitraryMessage(name), (message) => {
        const theirs = library.encode(name, message);
        expect(decodeMessage(name, theirs)).toEqual(library.decode(name, theirs));
        expect(library.decode(name, encodeMessage(name, message))).toEqual(library.decode(name, theirs));
      }),
      { numRuns: 50 },
    );
  });
});

const update = fc
  .array(arbitraryResource, { maxLength: 4 })
  .map((resources) => encodeMessage("Update", { resources: resources.map((one) => encodeResource(one, "v1")) }));

function whatIsThrown(work: () => unknown): unknown {
  try {
    work();
    return undefined;
  } catch (error) {
    return error;
  }
}

function isNothingOrRangeError(thrown: unknown): boolean {
  return thrown === undefined || thrown instanceof RangeError;
}

describe("bytes that are not a message", () => {
  it("are refused, and nothing else is thrown, wherever they are cut or damaged", () => {
    fc.assert(
      fc.property(update, fc.nat(), fc.nat(255), fc.boolean(), (bytes, place, byte, cut) => {
        const at = bytes.length === 0 ? 0 : place % bytes.length;
        const spoiled = cut ? bytes.subarray(0, at) : Buffer.concat([bytes.subarray(0, at), Buffer.of(byte), bytes]);
        expect(whatIsThrown(() => decodeMessage("Update", spoiled))).toSatisfy(isNothingOrRangeError);
      }),
    );
  });

  it.each([
    ["a number without end", "0a0c0affffffffffffffffffffff01"],
    ["a list that is longer than the message", "0a7f"],
    ["a group", "0b"],
    ["a field that reaches beyond the message around it", "0a020a05616263646566"],
  ])("%s", (_, hex) => {
    expect(() => decodeMessage("Update", Buffer.from(hex, "hex"))).toThrow(RangeError);
  });
});

describe("a message of a later version", () => {
  it("is read without its new fields, whatever their wire type", () => {
    const known = encodeMessage("Hello", { pod: "orders-1" });
    const added = Buffer.from("f80101" + "f901" + "00".repeat(8) + "fa0103616263" + "fd01" + "00".repeat(4), "hex");
    expect(decodeMessage("Hello", Buffer.concat([added, known, added]))).toMatchObject({ pod: "orders-1" });
  });

  it("has the number if an enum's name is not known", () => {
    expect(decodeMessage("ResourceName", Buffer.from("0863", "hex"))).toMatchObject({ kind: 99 });
  });

  it("has the last sent member of a oneof", () => {
    const bytes = Buffer.concat([
      encodeMessage("SidecarMessage", { hello: { pod: "orders-1" } }),
      encodeMessage("SidecarMessage", { subscribe: {} }),
    ]);
    expect(decodeMessage("SidecarMessage", bytes)).toEqual({ message: "subscribe", subscribe: { subscriptions: [] } });
  });
});

it("also reads a list of numbers with a tag for each", () => {
  const one = encodeMessage("RetryPolicy", { retryOn: ["RETRY_CONDITION_RESET", "RETRY_CONDITION_503"] });
  const packed = Buffer.from("3a020409", "hex");
  expect(decodeMessage("RetryPolicy", one)).toEqual(decodeMessage("RetryPolicy", packed));
});
