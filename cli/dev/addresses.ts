/**
 * The loopback addresses of one mesh: a block 127.x.y.0/24, of which .1 is the control plane's and the others serve as pod
 * IPs.
 *
 * A block is taken by listening on its lock port, so a crash gives it back at once and two meshes never share one.
 * The kernel answers on all of 127.0.0.0/8 without any set-up (Linux); nothing here needs root.
 */

import { createHash } from "node:crypto";
import { createServer, type Server } from "node:net";
import { systemErrorCode, UsageError } from "../usage-error.ts";

/** Held while the mesh runs; nothing is served on it. */
const lockPort = 15009;
/** The control plane's ports: Discovery, Identity, admin port and dashboard. */
export const controlPlanePorts = { discovery: 15010, identity: 15012, admin: 15014, dashboard: 8080 } as const;
/** The ports of every sidecar: outbound, mesh link, and admin port. */
export const sidecarPorts = { outbound: 15001, meshLink: 15008, admin: 15020 } as const;

const firstPod = 2;
const lastPod = 254;
/** How many pods one mesh can have. */
export const podAddresses = lastPod - firstPod + 1;
/** Blocks are in 127.64.0.0/10, away from the 127.0.0.x and 127.1.x.x that people use by hand. */
const blockCount = 64 * 256;
const blocksTried = 64;

export class AddressBlock {
  /** `127.x.y`. */
  readonly prefix: string;
  readonly #lock: Server;
  readonly #taken = new Set<number>();
  #next = firstPod;

  constructor(prefix: string, lock: Server) {
    this.prefix = prefix;
    this.#lock = lock;
  }

  get controlPlane(): string {
    return `${this.prefix}.1`;
  }

  get firstPod(): string {
    return `${this.prefix}.${firstPod}`;
  }

  /** Whether `take` would fail. */
  get full(): boolean {
    return this.#taken.size === podAddresses;
  }

  /** The next free pod address. An address just returned is used last, so that nobody mistakes an old pod for a new one. */
  take(): string {
    for (let tried = firstPod; tried <= lastPod; tried++) {
      const last = this.#next;
      this.#next = last === lastPod ? firstPod : last + 1;
      if (this.#taken.has(last)) continue;
      this.#taken.add(last);
      return `${this.prefix}.${last}`;
    }
    throw new UsageError(`a mesh on one machine has ${podAddresses} pod addresses, and all are in use`);
  }

  giveBack(address: string): void {
    this.#taken.delete(Number(address.slice(this.prefix.length + 1)));
  }

  /** Returns the whole block. */
  async release(): Promise<void> {
    await new Promise<void>((resolve) => this.#lock.close(() => resolve()));
  }
}

/**
 * Takes a block whose control plane ports are free. The same seed (the folder's path) gives the same block while it is free, so
 * a folder keeps its addresses from run to run. Throws a `UsageError` if there is none.
 */
export async function reserveBlock(seed: string): Promise<AddressBlock> {
  const start = createHash("sha256").update(seed).digest().readUInt32BE(0);
  let reason: unknown;
  for (let step = 0; step < blocksTried; step++) {
    const index = (start + step) % blockCount;
    const prefix = `127.${64 + (index >> 8)}.${index & 255}`;
    try {
      return await reservePrefix(prefix);
    } catch (error) {
      reason = error;
    }
  }
  throw new UsageError(`no free block of loopback addresses found: ${String(reason)}`, { cause: reason });
}

async function reservePrefix(prefix: string): Promise<AddressBlock> {
  const lock = await listen(`${prefix}.1`, lockPort);
  try {
    await requireFree(`${prefix}.1`, Object.values(controlPlanePorts));
    return new AddressBlock(prefix, lock);
  } catch (error) {
    lock.close();
    throw error;
  }
}

/** Throws a `UsageError` that names the first port that another program holds, on this address or on all addresses. */
export async function requireFree(address: string, ports: readonly number[]): Promise<void> {
  for (const port of ports) {
    const probe = await listen(address, port);
    await new Promise<void>((resolve) => probe.close(() => resolve()));
  }
}

function listen(address: string, port: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once("error", (error) => reject(asUsageError(error, `${address}:${port}`)));
    server.listen({ host: address, port, exclusive: true }, () => resolve(server));
  });
}

function asUsageError(error: Error, where: string): UsageError {
  const why =
    systemErrorCode(error) === "EADDRINUSE" ? "is in use by another program" : `can't be used: ${error.message}`;
  return new UsageError(`${where} ${why}`, { cause: error });
}
