/** `tulle certs`: roots, certificates and what is missing; `tulle certs rotate-root` makes the mesh replace its root. */

import { setTimeout as sleep } from "node:timers/promises";
import { Command } from "commander";
import { openCluster } from "../cluster/cluster.ts";
import { addMeshOptions, howToReach, type Mesh, type MeshOptions, openMesh } from "../mesh-client.ts";
import { paintFor } from "../terminal.ts";
import { UsageError } from "../usage-error.ts";
import { printCertificates, printProgress } from "./print.ts";
import { askInCluster, askInFolder } from "./request.ts";

interface CertsOptions extends MeshOptions {
  readonly output: "json" | "text";
}

interface RotateOptions extends MeshOptions {
  readonly wait?: true;
}

const pollMs = 1_000;

const help = `${howToReach}

Exits with 1 if a sidecar or a replica lacks a root or a certificate that it should have by now.

Examples:
  $ tulle certs
  $ tulle certs -o json | jq '.sidecars[] | select(.lacks)'
  $ tulle certs rotate-root --wait`;

const rotateHelp = `
The mesh takes each step once everyone has completed the previous one, and continues by itself: you need not wait here.
  1. The new root is trusted beside the old one, everywhere.
  2. The new root signs, and every sidecar gets a certificate from it.
  3. The old root is no longer trusted.
Asking again while a rotation is in progress begins nothing new.

In a cluster it asks with your own rights, by the annotation tulle.dev/rotate-root on the Secret tulle-ca (patch secrets in
the mesh's namespace); for "tulle dev" by a file in its state folder.
${howToReach}

Exits with 0 once the rotation has begun, or with --wait once it is done; with 1 if the mesh can't do it.

Examples:
  $ tulle certs rotate-root
  $ tulle certs rotate-root --wait --url http://127.72.39.1:8080`;

export function certsCommand(): Command {
  const command = new Command("certs");
  return addMeshOptions(command)
    .description("show the mesh's roots, everyone's certificates, and what is missing")
    .addOption(command.createOption("-o, --output <format>").choices(["json", "text"]).default("text"))
    .addHelpText("after", help)
    .action((options: CertsOptions) => show(options))
    .addCommand(rotateCommand());
}

/**
 * The options that locate the mesh may come before or after this command's name: both commands have them, and the outer one
 * receives them.
 */
function rotateCommand(): Command {
  return addMeshOptions(new Command("rotate-root"))
    .description("replace the mesh's root with a new one, step by step, without a failed request")
    .option("--wait", "show its progress until it is done")
    .addHelpText("after", rotateHelp)
    .action((_own: unknown, command: Command) => rotate(command.optsWithGlobals<RotateOptions>()));
}

async function show(options: CertsOptions): Promise<void> {
  await using mesh = await opened(options);
  const view = await mesh.readCertificates();
  const text =
    options.output === "json"
      ? `${JSON.stringify(view, undefined, 2)}\n`
      : printCertificates(view, paintFor(process.stdout, process.env), Date.now());
  process.stdout.write(text);
  if (view.rotation.lacks.length > 0) process.exitCode = 1;
}

async function rotate(options: RotateOptions): Promise<void> {
  await using mesh = await opened(options);
  const { rotation, signer, place } = await mesh.readCertificates();
  const { phase, asked, whyNot } = rotation;
  if (phase !== "settled" || asked) process.stdout.write("it is being replaced already\n");
  else if (whyNot !== undefined) {
    process.stderr.write(`the root can't be replaced: ${whyNot}\n`);
    process.exitCode = 1;
    return;
  } else if (place.kind === "folder") await askInFolder(place, signer.id);
  else {
    const cluster = mesh.cluster ?? (await openCluster(options));
    await askInCluster(place, signer.id, cluster);
    cluster.close();
  }
  // In the second half the new root already signs.
  await follow(mesh, options.wait === true, phase === "reissuing" ? undefined : signer.id);
}

/**
 * Prints each new state, until the rotation has begun, or until it is done: `former` no longer signs and no rotation is under
 * way. A control plane may be unreachable for a while.
 */
async function follow(mesh: Mesh, wait: boolean, former: string | undefined): Promise<void> {
  const paint = paintFor(process.stdout, process.env);
  for (let last = ""; ; await sleep(pollMs)) {
    const view = await mesh.readCertificates().catch((error: unknown) => {
      if (!(error instanceof UsageError) || !wait) throw error;
      return undefined;
    });
    const begun = view !== undefined && (view.rotation.phase !== "settled" || view.signer.id !== former);
    const now = view === undefined ? "no answer now, asking again\n" : printProgress(view, begun, paint);
    if (now !== last) process.stdout.write(now);
    last = now;
    if (begun && (!wait || view.rotation.phase === "settled")) return;
  }
}

async function opened(options: MeshOptions): Promise<Mesh & AsyncDisposable> {
  const mesh = await openMesh(options, process.env);
  return { ...mesh, [Symbol.asyncDispose]: async () => mesh.close() };
}
