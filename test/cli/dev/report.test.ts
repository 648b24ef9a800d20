import { describe, expect, it } from "vitest";
import { formatEvent } from "../../../cli/dev/report.ts";
import { plain } from "../../../cli/terminal.ts";
import { jsonLog } from "../../../system/log.ts";

function exited(lastLines: readonly string[]): readonly string[] {
  return formatEvent(
    { kind: "exited", process: "web-1 sidecar", exit: { how: "SIGKILL", lastLines, restartInMs: 500 } },
    plain,
  );
}

describe("formatEvent", () => {
  it("names a process that exits, how, when it starts again, and its last lines", () => {
    expect(exited(["first", "last words"])).toEqual([
      "exited   web-1 sidecar: SIGKILL, starts again in 0.5 s; its last lines:",
      "         first",
      "         last words",
    ]);
  });

  it("says if a process wrote nothing", () => {
    expect(exited([])[1]).toBe("         (it wrote nothing)");
  });

  it("puts the mesh's own log lines into words", () => {
    const lines: string[] = [];
    jsonLog("sidecar", { level: "info" }, (line) => lines.push(line.trimEnd()))("error", "can't listen", {
      port: 15008,
      code: "X",
    });
    expect(exited(lines)[1]).toBe('         error can\'t listen port=15008 code="X"');
  });

  it("leaves a line unchanged that only looks like a log line", () => {
    expect(exited(['{"time": cut of'])[1]).toBe('         {"time": cut of');
  });

  it("prevents processes from colouring, moving or clearing what others wrote", () => {
    const [line] = formatEvent({ kind: "output", process: "web-1", line: "\u001b[31mred\u001b[2J\tand\u0007" }, plain);
    expect(line).toBe("web-1 | red  and");
  });
});
