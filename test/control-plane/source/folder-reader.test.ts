import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { FolderReader } from "../../../control-plane/source/folder-reader.ts";
import { objectKey } from "../../../control-plane/source/kube-object.ts";
import { formatProblem } from "../../../control-plane/source/problem.ts";
import { HandClock } from "../../support/hand-clock.ts";

let folder: string;
let clock: HandClock;
let reader: FolderReader;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tulle-folder-"));
  clock = new HandClock();
  reader = new FolderReader([folder], clock);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

function service(...names: string[]): string {
  return names.map((name) => `apiVersion: v1\nkind: Service\nmetadata:\n  name: ${name}\n`).join("---\n");
}

function write(name: string, text: string): Promise<void> {
  return writeFile(join(folder, name), text);
}

/** What a scan hands on, in short. */
async function scan(): Promise<{ applied: string[]; removed: readonly string[]; problems: string[] } | undefined> {
  const { change } = await reader.scan();
  if (change === undefined) return undefined;
  const { applied, removed, problems } = change;
  return {
    applied: applied.map((object) => objectKey(object).replace("Service default/", "")),
    removed: removed.map((key) => key.replace("Service default/", "")),
    problems: problems.map((problem) => formatProblem(problem).replaceAll(`${folder}/`, "")),
  };
}

it("reads all manifests below the folder, in the order of their names, and nothing else", async () => {
  await mkdir(join(folder, "sub"));
  await mkdir(join(folder, ".git"));
  await mkdir(join(folder, "node_modules"));
  await write("b.yml", service("b"));
  await write("a.yaml", service("a1", "a2"));
  await write("sub/c.json", JSON.stringify({ apiVersion: "v1", kind: "Service", metadata: { name: "c" } }));
  for (const ignored of [".d.yaml.swp", ".e.yaml", ".git/f.yaml", "node_modules/g.yaml", "h.txt"])
    await write(ignored, service("ignored"));
  await symlink(join(folder, "gone.yaml"), join(folder, "dangling.yaml"));
  expect(await scan()).toEqual({ applied: ["a1", "a2", "b", "c"], removed: [], problems: [] });
  expect(await scan()).toBeUndefined();
});

it("reports only the objects of files that were written again", async () => {
  await write("a.yaml", service("a"));
  await write("b.yaml", service("b"));
  await scan();
  await write("b.yaml", `${service("b")}# longer\n`);
  expect(await scan()).toEqual({ applied: ["b"], removed: [], problems: [] });
});

it("believes a deletion only after a grace", async () => {
  await write("a.yaml", service("a", "b"));
  await write("c.yaml", service("c"));
  await scan();
  await write("a.yaml", service("a"));
  await rm(join(folder, "c.yaml"));
  expect((await scan())?.removed).toEqual([]);
  expect((await reader.scan()).recheckMs).toBe(200);
  clock.advance(199);
  expect(await scan()).toBeUndefined();
  clock.advance(1);
  expect((await scan())?.removed).toEqual(["b", "c"]);
  expect((await reader.scan()).recheckMs).toBeUndefined();
});

it("forgets a deletion that was undone within the grace", async () => {
  await write("a.yaml", service("a"));
  await write("b.yaml", service("b"));
  await scan();
  await rename(join(folder, "b.yaml"), join(folder, "b.tmp"));
  await scan();
  clock.advance(150);
  await rename(join(folder, "b.tmp"), join(folder, "b.yaml"));
  await scan();
  clock.advance(1_000);
  expect(await scan()).toBeUndefined();
});

it("tolerates a file that is empty for a moment", async () => {
  await write("a.yaml", service("a"));
  await write("b.yaml", service("b"));
  await scan();
  await write("b.yaml", "");
  expect(await scan()).toBeUndefined();
  await write("b.yaml", service("b"));
  expect((await scan())?.removed).toEqual([]);
  clock.advance(1_000);
  expect(await scan()).toBeUndefined();
});

it("moves an object to another file without removing it", async () => {
  await write("a.yaml", service("a", "b"));
  await scan();
  await write("a.yaml", service("a"));
  await write("z.yaml", service("b"));
  expect(await scan()).toEqual({ applied: ["a", "b"], removed: [], problems: [] });
  clock.advance(1_000);
  expect(await scan()).toBeUndefined();
});

it("keeps the objects of a broken file, and applies its valid documents", async () => {
  await write("a.yaml", service("a", "b"));
  await scan();
  await write("a.yaml", `${service("a")}---\nkind: [`);
  const change = await scan();
  expect(change?.applied).toEqual(["a"]);
  expect(change?.problems.join()).toMatch(/^a\.yaml:6: not readable as YAML/);
  clock.advance(10_000);
  expect(await scan()).toBeUndefined();
  await write("a.yaml", service("a", "b"));
  expect(await scan()).toEqual({ applied: ["a", "b"], removed: [], problems: [] });
});

it("keeps an object whose kind is misspelt from one edit to the next", async () => {
  await write("a.yaml", service("a", "b"));
  await scan();
  await write("a.yaml", service("a", "b").replace("kind: Service", "kind: Servce"));
  await scan();
  clock.advance(10_000);
  expect(await scan()).toBeUndefined();
});

it("keeps everything while the folder itself is gone, and says so", async () => {
  await write("a.yaml", service("a"));
  await scan();
  await rename(folder, `${folder}.away`);
  const change = await scan();
  expect(change?.removed).toEqual([]);
  expect(change?.problems.join()).toContain("cannot be read: no such file or directory");
  clock.advance(3_600_000);
  expect(await scan()).toBeUndefined();
  await rename(`${folder}.away`, folder);
  expect(await scan()).toEqual({ applied: [], removed: [], problems: [] });
});

it("keeps the objects of a directory that can't be read, and says so", async () => {
  await mkdir(join(folder, "sub"));
  await write("a.yaml", service("a"));
  await write("sub/b.yaml", service("b"));
  await scan();
  await rm(join(folder, "sub"), { recursive: true });
  // A path that resolves to itself can't be read by anyone, root included.
  await symlink("b.yaml", join(folder, "b.yaml"));
  await mkdir(join(folder, "sub"));
  await symlink("b.yaml", join(folder, "sub", "b.yaml"));
  const change = await scan();
  expect(change?.problems).toEqual([
    "b.yaml: cannot be read: too many symbolic links encountered",
    "sub/b.yaml: cannot be read: too many symbolic links encountered",
  ]);
  clock.advance(10_000);
  expect(await scan()).toBeUndefined();
  await rm(join(folder, "sub", "b.yaml"));
  await scan();
  clock.advance(200);
  expect((await scan())?.removed).toEqual(["b"]);
});

it("waits five seconds before it believes that a folder is empty", async () => {
  await write("a.yaml", service("a", "b"));
  await scan();
  await rm(join(folder, "a.yaml"));
  expect(await scan()).toBeUndefined();
  clock.advance(4_999);
  expect(await scan()).toBeUndefined();
  clock.advance(1);
  expect((await scan())?.removed).toEqual(["a", "b"]);
});

it("starts the grace again while a folder is filled file by file", async () => {
  await write("a.yaml", service("a"));
  await write("b.yaml", service("b"));
  await scan();
  await rm(folder, { recursive: true });
  await mkdir(folder);
  await scan();
  clock.advance(3_000);
  await write("a.yaml", service("a"));
  expect((await scan())?.removed).toEqual([]);
  clock.advance(100);
  await write("b.yaml", service("b"));
  await scan();
  clock.advance(10_000);
  expect(await scan()).toBeUndefined();
});

it("keeps the first of two objects with one name, and reports the other", async () => {
  await write("a.yaml", service("a"));
  await write("b.yaml", service("x", "a"));
  expect(await scan()).toEqual({
    applied: ["a", "x"],
    removed: [],
    problems: ["b.yaml:6 metadata.name: Service default/a is already defined at a.yaml:1; this one is ignored"],
  });
  await rm(join(folder, "a.yaml"));
  expect(await scan()).toEqual({ applied: ["a"], removed: [], problems: [] });
});

it("refuses a file that is too large, unread", async () => {
  await write("a.yaml", `${service("a")}# ${"x".repeat(5 * 1024 * 1024)}\n`);
  expect((await scan())?.problems).toEqual(["a.yaml: is larger than 4 MiB and was not read"]);
});

it("reads a single file", async () => {
  await write("a.yaml", service("a"));
  await write("b.yaml", service("b"));
  reader = new FolderReader([join(folder, "a.yaml")], clock);
  expect((await scan())?.applied).toEqual(["a"]);
});
