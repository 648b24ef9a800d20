/**
 * What all chains of one run share: a temporary folder, their own loopback addresses, certificates for the peers.
 *
 * ```
 *   load ─▶ out (client:18001) ══ mutual TLS 1.3 ══▶ in (server:18006, Tulle: server:15008) ─▶ app (server:18080)
 * ```
 */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { reserveBlock } from "../../cli/dev/addresses.ts";
import {
  altNames,
  dns,
  extension,
  type MadeCertificate,
  makeCertificate,
  makeRoot,
  uri,
} from "../support/certificates.ts";
import type { Endpoint } from "./processes.ts";
import type { Tools } from "./tools.ts";

/** What is transported: HTTP/1.1, prior-knowledge HTTP/2, or bytes. */
export type Wire = "http1" | "http2" | "tcp";

export interface Ground extends AsyncDisposable {
  readonly folder: string;
  readonly tools: Tools;
  readonly controlPlane: string;
  readonly client: string;
  readonly server: string;
  readonly out: Endpoint;
  readonly in: Endpoint;
  readonly app: Endpoint;
}

/** Rejects if no loopback addresses or no folder are available. */
export async function openGround(tools: Tools): Promise<Ground> {
  const folder = mkdtempSync(join(tmpdir(), "tulle-bench-"));
  // Even after Ctrl-C: the folder contains private keys.
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  const block = await reserveBlock(folder);
  const client = block.take();
  const server = block.take();
  writeCertificates(folder);
  return {
    folder,
    tools,
    controlPlane: block.controlPlane,
    client,
    server,
    out: { host: client, port: 18_001 },
    in: { host: server, port: 18_006 },
    app: { host: server, port: 18_080 },
    [Symbol.asyncDispose]: () => block.release(),
  };
}

/** This many consecutive ports of one address. */
export function portsFrom({ host, port }: Endpoint, count: number): readonly Endpoint[] {
  return Array.from({ length: count }, (_, index) => ({ host, port: port + index }));
}

const clientAndServerAuth = extension("551d25", Buffer.from("301406082b0601050507030106082b06010505070302", "hex"));

/** `ca.pem`, and for both ends `NAME.pem`, `NAME.key` and, for HAProxy, `NAME.both.pem`. P-256, like the mesh's own. */
function writeCertificates(folder: string): void {
  const root = makeRoot("bench root");
  writeFileSync(join(folder, "ca.pem"), root.pem);
  for (const name of ["client", "server"]) {
    const { pem, keyPem } = leaf(name, root);
    writeFileSync(join(folder, `${name}.pem`), pem);
    writeFileSync(join(folder, `${name}.key`), keyPem);
    writeFileSync(join(folder, `${name}.both.pem`), pem + keyPem);
  }
}

function leaf(name: string, issuer: MadeCertificate): MadeCertificate {
  const names = altNames(uri(`spiffe://cluster.local/ns/bench/sa/${name}`), dns(name));
  return makeCertificate({ issuer, extensions: [names, clientAndServerAuth] });
}
