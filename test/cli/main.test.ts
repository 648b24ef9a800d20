import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { version } from "../../system/version.ts";
import { TinyFolder } from "../support/tiny-mesh/tiny-mesh.ts";

const main = join(import.meta.dirname, "../../cli/main.ts");
/** Of somebody who has no cluster, whoever runs the tests. */
const env = { PATH: process.env["PATH"], HOME: "/nowhere" };

function tulle(...args: readonly string[]) {
  return spawnSync(process.execPath, [main, ...args], { encoding: "utf8", env });
}

// Each starts a process, and the machine may be busy.
describe("tulle", { timeout: 60_000 }, () => {
  it("prints its version", () => {
    const { status, stdout } = tulle("version", "--client");
    expect([status, stdout]).toEqual([0, `${version}\n`]);
  });

  it("prints its version without a mesh, and fails only if one was named", () => {
    const nowhere = ["--url", "http://127.0.0.1:1"];
    const named = tulle("version", ...nowhere);
    expect([named.status, named.stdout]).toEqual([1, expect.stringContaining(version)]);
    const unnamed = tulle("version");
    expect([unnamed.status, unnamed.stdout]).toEqual([0, expect.stringContaining(version)]);
  });

  it.each([
    ["an unknown command", ["stauts"], "tulle: unknown command 'stauts' (did you mean status?); see tulle --help\n"],
    ["an unknown option", ["top", "--bogus"], "tulle: unknown option '--bogus'; see tulle top --help\n"],
    ["a missing option", ["dev"], "tulle: required option '-f, --folder <dir>' not specified; see tulle dev --help\n"],
    [
      "an argument that is none of those there are",
      ["log-level", "shop/web", "loud"],
      "tulle: 'loud' is invalid for argument 'level'. Allowed choices are debug, info, warn, error; see tulle log-level --help\n",
    ],
    ["a context where there is no kubeconfig", ["check", "--context", "a"], "tulle: no context a; there are none\n"],
    ["no address", ["top", "--url", "8080"], "tulle: --url must be like http://127.0.0.1:8080, got 8080\n"],
    [
      "half an address",
      ["log-level", "control-plane", "--url", "http://"],
      "tulle: --url must be like http://127.0.0.1:8080, got http://\n",
    ],
    [
      "settings of injection that are no YAML",
      ["inject", "-f", "/dev/null", "--config", join(import.meta.dirname, "../../README.md")],
      expect.stringMatching(/^tulle: --config [^\n]+README\.md: [^\n]+ at line \d+, column \d+\n$/) as string,
    ],
    [
      "an address that nobody may have",
      ["top", "--url", "http://127.0.0.1:1"],
      "tulle: no control plane at http://127.0.0.1:1 (bad port); --url says where it is\n",
    ],
    [
      "a folder that is not there",
      ["dev", "-f", "/nowhere"],
      "tulle: /nowhere: cannot be read: no such file or directory\n",
    ],
  ])("ends with 2 and one plain line on %s", (_case, args, line) => {
    const { status, stderr } = tulle(...args);
    expect([status, stderr]).toEqual([2, line]);
  });

  it("names the existing commands if help is requested for another", () => {
    const { status, stderr } = tulle("help", "bogus");
    expect([status, stderr]).toEqual([
      2,
      expect.stringMatching(/^tulle: no command bogus; there are dev, compile, .*\n$/),
    ]);
  });

  it.each([
    ["while it runs", "() => { throw new Error('broken') }"],
    ["later", "() => { process.nextTick(() => { throw new Error('broken') }); return true }"],
  ])("ends with 70 and a stack trace on a bug that shows %s, which no other outcome ends with", (_when, write) => {
    const broken = `data:text/javascript,process.stdout.write = ${write}`;
    const args = ["--import", broken, main, "version", "--client"];
    const { status, stderr } = spawnSync(process.execPath, args, { encoding: "utf8", env });
    expect(status).toBe(70);
    expect(stderr).toMatch(/^tulle: this is a bug: Error: broken\n {4}at /);
  });

  it("accepts a reader that stops reading", () => {
    const script = `"$0" "$1" help | head -n 1; echo "\${PIPESTATUS[0]}"`;
    const { stdout, stderr } = spawnSync("bash", ["-c", script, process.execPath, main], { encoding: "utf8", env });
    expect([stdout, stderr]).toEqual(["Usage: tulle [options] [command]\n0\n", ""]);
  });

  it("says in one line where it looked for a mesh", () => {
    const { status, stderr } = tulle("status");
    expect(status).toBe(2);
    expect(stderr).toMatch(
      /^tulle: no control plane at http:\/\/127\.0\.0\.1:8080 \([^)]*\), and no cluster in a kubeconfig; [^\n]*\n$/,
    );
  });

  it("ends with 2 and the reason if the only Deployment can't run here", () => {
    using folder = new TinyFolder().write(
      "web.yaml",
      "apiVersion: apps/v1\nkind: Deployment\nmetadata: { name: web }\n",
    );
    const { status, stderr } = tulle("dev", "-f", folder.path);
    expect(status).toBe(2);
    expect(stderr).toMatch(
      /^tulle: [^\n]+\/web\.yaml:1 spec\.template\.metadata\.annotations\["tulle\.dev\/dev-command"\]: is required[^\n]*\n$/,
    );
  });
});
