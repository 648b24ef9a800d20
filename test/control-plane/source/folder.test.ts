import { mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { readFolders, watchFolders } from "../../../control-plane/source/folder.ts";
import { objectKey } from "../../../control-plane/source/kube-object.ts";

let folder: string;
let stop: AbortController;
/** What is true by the changes so far. */
let keys: Set<string>;
let onChange: (() => void) | undefined;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tulle-watch-"));
  stop = new AbortController();
  keys = new Set();
});
afterEach(async () => {
  stop.abort();
  await rm(folder, { recursive: true, force: true });
});

function service(name: string): string {
  return `apiVersion: v1\nkind: Service\nmetadata: {name: ${name}}\n`;
}

function watch(rescanMs: number): Promise<void> {
  return watchFolders({
    folders: [folder],
    signal: stop.signal,
    rescanMs,
    onChange(change) {
      for (const object of change.applied) keys.add(objectKey(object).replace("Service default/", ""));
      for (const key of change.removed) keys.delete(key.replace("Service default/", ""));
      onChange?.();
    },
  });
}

/** Resolves when exactly these are there. The test's own time limit ends a wait in vain. */
function until(...wanted: string[]): Promise<void> {
  return new Promise((resolve) => {
    onChange = () => {
      if ([...keys].sort().join() === wanted.sort().join()) resolve();
    };
    onChange();
  });
}

it("reports what is there before it resolves, and later changes by events", async () => {
  await writeFile(join(folder, "a.yaml"), service("a"));
  // Longer than the test may take: it does not look again by itself.
  await watch(60_000);
  expect([...keys]).toEqual(["a"]);
  await writeFile(join(folder, "b.yaml"), service("b"));
  await until("a", "b");
});

it("follows an editor's atomic rename, new directories, and a directory that is recreated", async () => {
  await writeFile(join(folder, "a.yaml"), service("a"));
  await watch(60_000);
  await writeFile(join(folder, "a.yaml.new"), service("b"));
  await rename(join(folder, "a.yaml.new"), join(folder, "a.yaml"));
  await until("b");
  expect(keys).not.toContain("a");
  for (const round of ["c", "d"]) {
    await rm(join(folder, "sub"), { recursive: true, force: true });
    await mkdir(join(folder, "sub"));
    await writeFile(join(folder, "sub", "x.yaml"), service(round));
    await until("b", round);
  }
});

it("finds by polling what no event reported", async () => {
  await writeFile(join(folder, "a.yaml"), service("a"));
  await watch(50);
  // The watchers die with their directory, and no event announces its successor.
  await rename(folder, `${folder}.away`);
  await mkdir(folder);
  await writeFile(join(folder, "a.yaml"), service("a"));
  await writeFile(join(folder, "b.yaml"), service("b"));
  await until("a", "b");
  expect([...keys]).toEqual(["a", "b"]);
  await rm(`${folder}.away`, { recursive: true });
});

it("reports at the start that a folder can't be read", async () => {
  const missing = join(folder, "missing");
  await expect(readFolders([missing])).rejects.toThrow(`${missing}: cannot be read: no such file or directory`);
  await expect(
    watchFolders({ folders: [missing], signal: stop.signal, onChange: () => expect.unreachable() }),
  ).rejects.toThrow("cannot be read");
});

it("reports nothing after it was stopped", async () => {
  await writeFile(join(folder, "a.yaml"), service("a"));
  await watch(10);
  stop.abort();
  await writeFile(join(folder, "b.yaml"), service("b"));
  await readFolders([folder]);
  expect([...keys]).toEqual(["a"]);
});
