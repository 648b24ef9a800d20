/**
 * Protobuf's wire format (https://protobuf.dev/programming-guides/encoding/), driven by the tables in `generated/tables.ts`.
 * Messages have the shape of `generated/`: enums by name, 64-bit numbers as numbers, absent lists empty.
 *
 * It is the part of protobuf that a sidecar needs, and no more: loading a library took longer than the rest of a start. It
 * supports neither maps nor groups nor extensions; unknown fields are skipped.
 */

import { enums, messages } from "./generated/tables.ts";
import { WireReader } from "./wire-reader.ts";
import { WireWriter } from "./wire-writer.ts";

export interface FieldTable {
  readonly name: string;
  readonly number: number;
  readonly kind: "string" | "bytes" | "bool" | "uint32" | "uint64" | "double" | "enum" | "message";
  /** The name of the enum or the message. */
  readonly of?: string;
  readonly repeated?: true;
  /** Present: the field is absent unless it was sent, and this property tells which field of its group was. */
  readonly oneof?: string;
}

export type MessageName = keyof typeof messages;
/** Any message; `generated/` has the types of each. */
type Message = Record<string, unknown>;

const wireType = { varint: 0, fixed64: 1, delimited: 2 } as const;

interface Field {
  readonly name: string;
  readonly kind: FieldTable["kind"];
  readonly repeated: boolean;
  readonly oneof: string | undefined;
  readonly wireType: number;
  readonly tag: number;
  /** For an enum: names by number and numbers by name. */
  readonly names: ReadonlyMap<number, string>;
  readonly numbers: ReadonlyMap<string, number>;
  /** For a message. */
  readonly table: () => Table;
}

interface Table {
  readonly fields: readonly Field[];
  readonly byNumber: ReadonlyMap<number, Field>;
}

/** Built on first use: a sidecar reads few of them at its start. */
const tables = new Map<string, Table>();

function tableOf(name: string): Table {
  const known = tables.get(name);
  if (known !== undefined) return known;
  const rows: readonly FieldTable[] = messages[name as MessageName];
  const fields = rows.map(fieldOf);
  const table = { fields, byNumber: new Map(rows.map(({ number }, index) => [number, fields[index] as Field])) };
  tables.set(name, table);
  return table;
}

function fieldOf({ name, number, kind, of = "", repeated, oneof }: FieldTable): Field {
  const type = wireTypeOf(kind);
  const named = kind === "enum" ? Object.entries(enums[of as keyof typeof enums]) : [];
  return {
    name,
    kind,
    repeated: repeated === true,
    oneof,
    wireType: type,
    tag: (number << 3) | type,
    names: new Map(named.map(([word, value]) => [value, word])),
    numbers: new Map(named),
    table: () => tableOf(of),
  };
}

function wireTypeOf(kind: FieldTable["kind"]): number {
  switch (kind) {
    case "string":
    case "bytes":
    case "message":
      return wireType.delimited;
    case "double":
      return wireType.fixed64;
    case "bool":
    case "uint32":
    case "uint64":
    case "enum":
      return wireType.varint;
  }
}

/**
 * Throws a `RangeError` if the bytes are not such a message, or if its lists, including nested ones, have more than `maxItems`
 * items: two octets can become an object of a hundred.
 */
export function decodeMessage(name: MessageName, bytes: Buffer, maxItems = Number.POSITIVE_INFINITY): object {
  return decode(new WireReader(bytes, maxItems), bytes.length, tableOf(name));
}

function decode(reader: WireReader, end: number, { fields, byNumber }: Table): Message {
  const message: Message = {};
  for (const field of fields) {
    if (field.repeated) message[field.name] = [];
    else if (field.oneof === undefined) message[field.name] = absent(field);
  }
  while (reader.at < end) {
    const tag = reader.uint32();
    const field = byNumber.get(tag >>> 3);
    const type = tag & 7;
    if (field?.wireType === type) {
      if (field.repeated) reader.countItem();
      take(message, field, decodeValue(reader, field));
    } else if (field?.repeated && type === wireType.delimited) takePacked(message, field, reader);
    else reader.skip(tag);
  }
  if (reader.at !== end) throw new RangeError("a field reaches beyond its message");
  return message;
}

function take(message: Message, field: Field, value: unknown): void {
  const { name, oneof, repeated } = field;
  if (repeated) {
    (message[name] as unknown[]).push(value);
    return;
  }
  if (oneof !== undefined) {
    // The last field sent counts.
    const former = message[oneof];
    if (typeof former === "string") delete message[former];
    message[oneof] = name;
  }
  message[name] = value;
}

/** The numbers of a packed list, one after the other in one field. */
function takePacked(message: Message, field: Field, reader: WireReader): void {
  const end = reader.delimited();
  while (reader.at < end) {
    reader.countItem();
    take(message, field, decodeValue(reader, field));
  }
  if (reader.at !== end) throw new RangeError("a number reaches beyond its list");
}

function absent(field: Field): unknown {
  switch (field.kind) {
    case "string":
      return "";
    case "bytes":
      return Buffer.alloc(0);
    case "bool":
      return false;
    case "uint32":
    case "uint64":
    case "double":
      return 0;
    case "enum":
      return field.names.get(0);
    case "message":
      return null;
  }
}

function decodeValue(reader: WireReader, field: Field): unknown {
  switch (field.kind) {
    case "string":
      return reader.string();
    case "bytes":
      return reader.bytes();
    case "bool":
      return reader.uint64() !== 0;
    case "uint32":
      return reader.uint32();
    case "uint64":
      return reader.uint64();
    case "double":
      return reader.double();
    case "enum": {
      // A number without a name belongs to a later version; the reader of the message judges it.
      const number = reader.uint32() | 0;
      return field.names.get(number) ?? number;
    }
    case "message":
      return decode(reader, reader.delimited(), field.table());
  }
}

/** Absent fields, and defaults that may be omitted, are not written. */
export function encodeMessage(name: MessageName, message: object): Buffer {
  const writer = new WireWriter();
  encode(writer, tableOf(name), message as Message);
  return writer.finish();
}

function encode(writer: WireWriter, { fields }: Table, message: Message): void {
  for (const field of fields) {
    const value = message[field.name];
    if (value === undefined || value === null) continue;
    if (field.repeated) for (const item of value as readonly unknown[]) encodeValue(writer, field, item);
    else if (field.oneof !== undefined || !isDefault(field, value)) encodeValue(writer, field, value);
  }
}

function isDefault(field: Field, value: unknown): boolean {
  return (
    Object.is(value, 0) ||
    value === "" ||
    value === false ||
    (field.kind === "enum" && field.numbers.get(String(value)) === 0)
  );
}

function encodeValue(writer: WireWriter, field: Field, value: unknown): void {
  writer.uint32(field.tag);
  switch (field.kind) {
    case "string":
      return writer.string(value as string);
    case "bytes":
      return writer.bytes(value as Uint8Array);
    case "bool":
      return writer.uint32(value === true ? 1 : 0);
    case "uint32":
    case "uint64":
      return writer.uint64(value as number);
    case "double":
      return writer.double(value as number);
    case "enum":
      return writer.uint32(typeof value === "number" ? value : numberOf(field, value as string));
    case "message":
      return writer.delimited(() => encode(writer, field.table(), value as Message));
  }
}

function numberOf({ name, numbers }: Field, word: string): number {
  const number = numbers.get(word);
  if (number === undefined) throw new TypeError(`${name}: there is no ${word}`);
  return number;
}
