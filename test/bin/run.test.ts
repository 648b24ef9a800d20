import { execFile } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, it } from "vitest";

const run = promisify(execFile);

/** Takes a while, notes that it ran, and leaves behind what npm leaves behind; fails as long as there is a file `broken`. */
const npm = `#!/bin/sh
[ -e broken ] && exit 1
echo installed >> installs
sleep 0.5
mkdir -p node_modules/.bin
ln -sf "${process.execPath}" node_modules/.bin/node
touch node_modules/.package-lock.json
`;

let checkout = "";

beforeEach(() => {
  checkout = mkdtempSync(join(tmpdir(), "tulle-checkout-"));
  for (const folder of ["bin", "path"]) mkdirSync(join(checkout, folder));
  copyFileSync(join(import.meta.dirname, "../../bin/run.mjs"), join(checkout, "bin/run.mjs"));
  writeFileSync(join(checkout, "package-lock.json"), "{}");
  writeFileSync(join(checkout, "path/npm"), npm);
  chmodSync(join(checkout, "path/npm"), 0o755);
});

afterEach(() => rmSync(checkout, { recursive: true }));

function printFour() {
  // As text: FORCE_COLOR would colour a number.
  return runNode("`${2 + 2}`");
}

function runNode(expression: string, more: NodeJS.ProcessEnv = {}) {
  const env = { ...process.env, ...more, PATH: `${join(checkout, "path")}:${process.env["PATH"]}` };
  return run(process.execPath, [join(checkout, "bin/run.mjs"), "node", "-p", expression], { env });
}

function installs(): number {
  return readFileSync(join(checkout, "installs"), "utf8").trim().split("\n").length;
}

it("installs once, then runs the command", async () => {
  expect((await printFour()).stdout).toBe("4\n");
  expect((await printFour()).stdout).toBe("4\n");
  expect(installs()).toBe(1);
});

it("looks for no proxy, which would be asked for what is on loopback", async () => {
  const { stdout } = await runNode("`${process.env.NODE_USE_ENV_PROXY}`", { NODE_USE_ENV_PROXY: "1" });
  expect(stdout).toBe("undefined\n");
});

it("installs once if several start at the same time, while the others wait", async () => {
  const outputs = await Promise.all([printFour(), printFour(), printFour()]);
  expect(outputs.map(({ stdout }) => stdout)).toEqual(["4\n", "4\n", "4\n"]);
  expect(installs()).toBe(1);
  expect(existsSync(join(checkout, ".install.lock"))).toBe(false);
});

it("ends with 2 if npm fails, and installs the next time", async () => {
  writeFileSync(join(checkout, "broken"), "");
  await expect(printFour()).rejects.toMatchObject({
    code: 2,
    stderr: expect.stringContaining("npm ci failed") as string,
  });
  rmSync(join(checkout, "broken"));
  expect((await printFour()).stdout).toBe("4\n");
});

it("says what is missing if there is no Node, and ends with 2", async () => {
  const tulle = join(import.meta.dirname, "../../bin/tulle");
  const start = run("/bin/sh", [tulle, "version"], { env: { PATH: join(checkout, "bin") } });
  await expect(start).rejects.toMatchObject({
    code: 2,
    stdout: "",
    stderr: expect.stringMatching(/^tulle: needs Node 20[^\n]*\n$/) as string,
  });
});

it("runs from anywhere, even through a link", async () => {
  const link = join(checkout, "tulle");
  symlinkSync(join(import.meta.dirname, "../../bin/tulle"), link);
  const { stdout } = await run(link, ["version", "--client"], { cwd: checkout });
  expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
});
