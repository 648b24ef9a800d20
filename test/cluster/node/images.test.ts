/** The image sizes in docs/install.md are right: those of the images on the node, unpacked, without Debian's layer. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { run } from "./cluster.ts";

interface Manifest {
  /** In bytes, Debian's first and Node's second. The node has them unpacked (see `image load`). */
  readonly layers: readonly { readonly size: number; readonly mediaType: string }[];
}

const document = readFileSync(join(import.meta.dirname, "../../../docs/install.md"), "utf8");

async function manifestOf(image: string): Promise<Manifest> {
  const ctr = 'ctr -a "$CONTAINERD_SOCKET" -n k8s.io';
  const digest = `$(${ctr} image ls | awk -v name="docker.io/$0:0.1.0" '$1 == name { print $3 }')`;
  return JSON.parse(await run("bash", ["-c", `${ctr} content get "${digest}"`, image])) as Manifest;
}

const megabytesOf = (layers: Manifest["layers"]) => layers.reduce((sum, { size }) => sum + size, 0) / 1e6;

it.each(["sidecar", "control-plane", "init"])(
  "tulle/%s is as large as is said, to a tenth, and to 1 MB without Node",
  async (name) => {
    const { layers } = await manifestOf(`tulle/${name}`);
    const row = document.split("\n").find((line) => line.startsWith(`| \`tulle/${name}\` |`)) ?? "";
    const [total = Number.NaN, ...beside] = [...row.matchAll(/(\d+) MB/g)].map(([, megabytes]) => Number(megabytes));
    expect(layers.map(({ mediaType }) => mediaType.split(".").at(-1))).toEqual(layers.map(() => "tar"));
    expect(Math.abs(megabytesOf(layers.slice(1)) / total - 1)).toBeLessThan(0.1);
    const stated = beside.reduce((sum, megabytes) => sum + megabytes, 0);
    expect(Math.abs(megabytesOf(layers.slice(2)) - stated)).toBeLessThan(1);
  },
);
