/** Turns events in a mesh into lines of text. */

import { assertNever } from "../../model/result.ts";
import { type Paint, printable } from "../terminal.ts";
import type { MeshEvent } from "./mesh-event.ts";

export function formatEvent(event: MeshEvent, paint: Paint): readonly string[] {
  switch (event.kind) {
    case "progress":
      return [paint("dim", event.text)];
    case "output":
      return [`${paint("cyan", `${event.process} |`)} ${printable(event.line)}`];
    case "exited":
      return formatExit(event, paint);
    case "ready":
      return [`${paint("green", "ready")}    ${event.pod} at ${event.podIP}`];
    case "unready":
      return [`${paint("yellow", "unready")}  ${event.pod}: ${event.because}`];
    case "terminating":
      return [`${paint("dim", "stopping")} ${event.pod}`];
    case "problem":
      return [`${paint("red", "problem")}  ${event.text}`];
    case "solved":
      return [`${paint("green", "solved")}   ${event.text}`];
    default:
      return assertNever(event);
  }
}

function formatExit({ process, exit }: Extract<MeshEvent, { kind: "exited" }>, paint: Paint): readonly string[] {
  const again = exit.restartInMs === undefined ? "" : `, starts again in ${exit.restartInMs / 1_000} s`;
  const last = exit.lastLines.length === 0 ? ["(it wrote nothing)"] : exit.lastLines;
  return [
    `${paint("red", "exited")}   ${process}: ${exit.how}${again}; its last lines:`,
    ...last.map((line) => `         ${printable(readLogLine(line) ?? line)}`),
  ];
}

/**
 * A line from a sidecar's or the control plane's log, in words: `error  is in use port=15008`. Undefined: it is not such a line.
 */
function readLogLine(line: string): string | undefined {
  if (!line.startsWith('{"time":')) return undefined;
  try {
    const {
      level,
      message,
      time: _time,
      component: _component,
      ...fields
    } = JSON.parse(line) as Record<string, unknown>;
    const details = Object.entries(fields).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
    return [String(level).padEnd(5), String(message), ...details].join(" ");
  } catch {
    return undefined;
  }
}
