import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { version } from "../../system/version.ts";
import { TinyFolder } from "../support/tiny-mesh/tiny-mesh.ts";

function tulle(...args: readonly string[]) {
  const main = join(import.meta.dirname, "../../cli/main.ts");
  return spawnSync(process.execPath, [main, ...args], { encoding: "utf8" });
}

describe("tulle", () => {
  it("prints its version", () => {
    const { status, stdout } = tulle("version", "--client");
    expect([status, stdout]).toEqual([0, `${version}\n`]);
  });

  it("prints its version where there is no mesh, and fails only where one was named", () => {
    const nowhere = ["--url", "http://127.0.0.1:1"];
    const named = tulle("version", ...nowhere);
    expect([named.status, named.stdout]).toEqual([1, expect.stringContaining(version)]);
    const unnamed = tulle("version");
    expect([unnamed.status, unnamed.stdout]).toEqual([0, expect.stringContaining(version)]);
  });

  it.each([
    ["an unknown command", ["bogus"], "error: unknown command 'bogus'\n"],
    ["a missing option", ["dev"], "error: required option '-f, --folder <dir>' not specified\n"],
    [
      "a folder that is not there",
      ["dev", "-f", "/nowhere"],
      "tulle: /nowhere: cannot be read: no such file or directory\n",
    ],
  ])("ends with 2 and one plain line on %s", (_case, args, line) => {
    const { status, stderr } = tulle(...args);
    expect([status, stderr]).toEqual([2, line]);
  });

  it("ends with 2 and the reason where the only Deployment can't run here", () => {
    using folder = new TinyFolder().write(
      "web.yaml",
      "apiVersion: apps/v1\nkind: Deployment\nmetadata: { name: web }\n",
    );
    const { status, stderr } = tulle("dev", "-f", folder.path);
    expect(status).toBe(2);
    expect(stderr).toMatch(
      /^tulle: \S+\/web\.yaml:1 spec\.template\.metadata\.annotations\["tulle\.dev\/dev-command"\]: is required[^\n]*\n$/,
    );
  });
});
