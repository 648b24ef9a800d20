/**
 * Which operation a GraphQL request asks for (https://graphql.github.io/graphql-over-http/draft/#sec-Request): its type, and
 * its name where it has one. It reads the beginning of a body as it passes and holds nothing back, so it may find nothing;
 * a document is scanned for its operations and not checked.
 */

import type { Exchange } from "../net/exchange.ts";

export interface GraphqlOperation {
  readonly type: "query" | "mutation" | "subscription";
  readonly name: string | undefined;
}

/** Describes an operation for people: `mutation Pay`. */
export function describeOperation(operation: GraphqlOperation | undefined): string | undefined {
  if (operation === undefined) return undefined;
  return operation.name === undefined ? operation.type : `${operation.type} ${operation.name}`;
}

/** How much of a body is read; operations are usually at its beginning. */
const maxBytes = 8 * 1024;
const longestName = 128;

/** Whether it looks like a request to a GraphQL endpoint: by its content type, or as JSON to a path that ends like one. */
export function mayBeGraphql({ method, headers, path }: Exchange): boolean {
  const type = headers.get("content-type") ?? "";
  if (type.startsWith("application/graphql")) return true;
  const isJson = method === "POST" && type.startsWith("application/json");
  return (isJson || method === "GET") && /\/graphql\/?(?:\?|$)/i.test(path);
}

/** Keeps the beginning of one body. */
export class GraphqlReader {
  readonly #isPlain: boolean;
  readonly #chunks: Buffer[] = [];
  #bytes = 0;

  constructor({ headers }: Exchange) {
    const [type = ""] = (headers.get("content-type") ?? "").split(";");
    this.#isPlain = type.trim() === "application/graphql";
  }

  /** Copies what it keeps. */
  read(chunk: Buffer): void {
    const left = maxBytes - this.#bytes;
    if (left <= 0) return;
    const kept = Buffer.from(chunk.subarray(0, left));
    this.#chunks.push(kept);
    this.#bytes += kept.length;
  }

  /**
   * The operation in what was read, or in the path's query if nothing was. Undefined: it is not GraphQL, or too much is missing.
   */
  operation({ path }: Exchange): GraphqlOperation | undefined {
    if (this.#bytes === 0) return operationInQuery(path);
    const text = Buffer.concat(this.#chunks).toString("utf8");
    if (this.#isPlain) return findOperation(text, undefined);
    const { query, operationName } = readFields(text);
    return query === undefined ? undefined : findOperation(query, operationName);
  }
}

function operationInQuery(path: string): GraphqlOperation | undefined {
  const at = path.indexOf("?");
  if (at === -1) return undefined;
  const fields = new URLSearchParams(path.slice(at + 1, at + 1 + maxBytes));
  const query = fields.get("query");
  return query === null ? undefined : findOperation(query, fields.get("operationName") ?? undefined);
}

interface RequestFields {
  query?: string;
  operationName?: string;
}

/** The structure characters of JSON, and its strings, of which the last may be cut off. */
const jsonToken = /[{}[\],:]|"((?:[^"\\]|\\.)*)("?)/gs;

/** Reads the two fields of a JSON object that matter here, as far as the text goes. */
function readFields(text: string): RequestFields {
  const fields: RequestFields = {};
  let depth = 0;
  let key: string | undefined;
  for (const [token, inner, closing] of text.matchAll(jsonToken)) {
    if (token === "{" || token === "[") depth++;
    else if (token === "}" || token === "]") depth--;
    else if (depth !== 1 || token === ":") continue;
    else if (token === ",") key = undefined;
    else if (key === undefined) key = inner;
    else if (key === "query") fields.query = unescaped(inner ?? "");
    else if (key === "operationName" && closing !== "") fields.operationName = unescaped(inner ?? "");
  }
  return fields;
}

function unescaped(inner: string): string {
  // An escape that was cut in half may be dropped.
  const whole = inner.replace(/\\(?:u[0-9a-fA-F]{0,3})?$/, "");
  try {
    return JSON.parse(`"${whole}"`) as string;
  } catch {
    return whole;
  }
}

/** Whole strings and comments, brackets, `@`, and names; everything else is skipped. */
const documentToken = /"""(?:\\"""|[^])*?(?:"""|$)|"(?:[^"\\\n]|\\.)*"?|#[^\n]*|[{}()[\]@]|[_A-Za-z]\w*/g;
const isName = /^[_A-Za-z]/;

/** The operation of the wanted name, else the first one. */
function findOperation(document: string, wanted: string | undefined): GraphqlOperation | undefined {
  let first: GraphqlOperation | undefined;
  let depth = 0;
  let place: "between definitions" | "after an operation's type" | "inside" = "between definitions";
  let type: GraphqlOperation["type"] = "query";
  for (const [token] of document.matchAll(documentToken)) {
    if (token.startsWith('"') || token.startsWith("#")) continue;
    if (depth === 0 && place === "between definitions" && isType(token)) {
      type = token;
      place = "after an operation's type";
    } else if (depth === 0 && place !== "inside") {
      const isOperation = place === "after an operation's type" || token === "{";
      const name = token.slice(0, longestName);
      const operation = { type, name: isOperation && isName.test(token) ? name : undefined };
      if (isOperation && operation.name !== undefined && operation.name === wanted) return operation;
      if (isOperation) first ??= operation;
      place = "inside";
    }
    if (token === "{" || token === "(" || token === "[") depth++;
    else if (token === "}" || token === ")" || token === "]") depth--;
    if (token === "}" && depth === 0) [place, type] = ["between definitions", "query"];
  }
  return first;
}

function isType(token: string): token is GraphqlOperation["type"] {
  return token === "query" || token === "mutation" || token === "subscription";
}
