/** A live request as one line for a terminal. */

import { formatMs } from "../../control-plane/dashboard/page/format.ts";
import { type Paint, printable } from "../terminal.ts";
import type { LiveRequest } from "./live-requests.ts";

const statusWidth = 3;
const durationWidth = 8;

export function printRequest(request: LiveRequest, paint: Paint): string {
  const { atMs, from, to, backend, method, path, operation, error, attempts, durationMs } = request;
  const via = backend === undefined || backend === to ? "" : ` (${backend})`;
  const who = `${from === "" ? "in the clear" : from} → ${to}${via}`;
  const remarks = [...(error === undefined ? [] : [error]), ...(attempts > 1 ? [`${attempts} tries`] : [])];
  return [
    paint("dim", timeOf(atMs)),
    printStatus(request, paint),
    formatMs(durationMs).padStart(durationWidth),
    who,
    printable(operation === undefined ? `${method} ${path}` : `${method} ${path} (${operation})`),
    ...(remarks.length === 0 ? [] : [paint(error === undefined ? "yellow" : "red", remarks.join(", "))]),
  ].join("  ");
}

function printStatus({ status, error }: LiveRequest, paint: Paint): string {
  const text = (status === 0 ? "-" : String(status)).padStart(statusWidth);
  if (status >= 500 || status === 0) return paint("red", text);
  return status >= 400 || error !== undefined ? paint("yellow", text) : paint("green", text);
}

/** The time of day, in this machine's time zone. */
function timeOf(unixMs: number): string {
  const date = new Date(unixMs);
  const two = (number: number) => String(number).padStart(2, "0");
  const clock = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(":");
  return `${clock}.${String(date.getMilliseconds()).padStart(3, "0")}`;
}
