/** A request as described on a command line or in a policy test: what it asks for, and who sends it. */

import { pathOf } from "../../model/path.ts";
import type { RequestView } from "../../model/route-match.ts";
import { hostOf, isAuthority, portOf } from "../../sidecar/net/authority.ts";
import { HeaderFields } from "../../sidecar/net/header-fields.ts";
import { upgradeProtocol } from "../../sidecar/net/upgrade.ts";
import { UsageError } from "../usage-error.ts";

export interface DescribedRequest extends RequestView {
  readonly headers: HeaderFields;
  /** As dialled: `catalog`, `catalog.shop`. */
  readonly host: string;
  readonly port: number;
  readonly from: Caller;
  /** The protocol that it asks to switch to, such as `websocket`. Absent: none. */
  readonly upgrade?: string;
}

/** The sender. Short host names are looked up in its namespace. */
export interface Caller {
  readonly namespace: string;
  /** Absent: a client in that namespace that is not in the mesh. */
  readonly workload?: string;
}

export interface RequestWords {
  readonly method: string;
  readonly url: string;
  /** `name: value`. */
  readonly headers?: readonly string[];
  /** `shop/web`, or `shop`; default: a client in namespace `default`. */
  readonly from?: string;
}

const urlPattern = /^(?:(?<scheme>https?):\/\/)?(?<authority>[^/?#]+)(?<target>[^#]*)$/;
const methodPattern = /^[A-Za-z][A-Za-z0-9!#$%&'*+.^_`|~-]*$/;
const fieldPattern = /^(?<name>[A-Za-z0-9!#$%&'*+.^_`|~-]+):[ \t]*(?<value>.*?)[ \t]*$/;

/** Paths are taken as given, not cleaned up as in browsers. Throws a `UsageError` that names the wrong word. */
export function describeRequest({ method, url, headers = [], from = "default" }: RequestWords): DescribedRequest {
  if (!methodPattern.test(method)) throw new UsageError(`not a method: ${JSON.stringify(method)}, such as GET`);
  const { scheme, authority = "", target = "" } = urlPattern.exec(url)?.groups ?? {};
  if (!isAuthority(authority))
    throw new UsageError(`not a URL: ${JSON.stringify(url)}, such as http://orders/items?id=1`);
  const path = pathOf(target);
  const fields = new HeaderFields();
  fields.append("host", authority);
  for (const header of headers) {
    const { name, value } = fieldPattern.exec(header)?.groups ?? {};
    if (name === undefined || value === undefined) {
      throw new UsageError(`not a header: ${JSON.stringify(header)}, such as "x-canary: 1"`);
    }
    fields.append(name.toLowerCase(), value);
  }
  const upgrade = takeUpgrade(method, fields);
  return {
    method: method.toUpperCase(),
    ...(upgrade !== undefined && { upgrade }),
    host: hostOf(authority),
    port: portOf(authority) ?? (scheme === "https" ? 443 : 80),
    path: path === "" ? "/" : path,
    query: target.slice(path.length + 1),
    headers: fields,
    from: readCaller(from),
  };
}

/**
 * Follows the codec: only a GET may ask for an upgrade, and both fields belong to the connection, so that no route sees them.
 */
function takeUpgrade(method: string, fields: HeaderFields): string | undefined {
  const options = fields.all("connection").flatMap((value) =>
    value
      .toLowerCase()
      .split(",")
      .map((option) => option.trim()),
  );
  const protocols = fields.all("upgrade").flatMap((value) => value.split(","));
  fields.remove("connection");
  fields.remove("upgrade");
  if (method.toUpperCase() !== "GET" || !options.includes("upgrade")) return undefined;
  return protocols.map((protocol) => upgradeProtocol(protocol.trim())).find((protocol) => protocol !== undefined);
}

function readCaller(text: string): Caller {
  const [namespace = "", workload, ...more] = text.split("/");
  if (namespace === "" || workload === "" || more.length > 0) {
    throw new UsageError(`not a caller: ${JSON.stringify(text)}, such as shop/web, or shop for a namespace`);
  }
  return workload === undefined ? { namespace } : { namespace, workload };
}
