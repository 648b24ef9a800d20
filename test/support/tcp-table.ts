/** This machine's TCP connections over IPv4, as the kernel lists them. Linux only. */

import { readFile } from "node:fs/promises";

const established = "01";
/** The kernel's code for a pending keep-alive timer; a retransmission, whose timer takes precedence, is 01. */
const keepAliveTimer = "02";

interface Row {
  readonly local: string;
  readonly remote: string;
  readonly state: string;
  readonly timer: string;
}

async function readTable(): Promise<readonly Row[]> {
  const rows = (await readFile("/proc/net/tcp", "latin1")).trim().split("\n").slice(1);
  return rows.map((row) => {
    const [, local = "", remote = "", state = "", , timer = ""] = row.trim().split(/\s+/);
    return { local, remote, state, timer };
  });
}

/** An address in the table's notation: its bytes in reverse. */
function formatEnd(host: string, port: number): string {
  const bytes = Buffer.from(host.split(".").map(Number)).reverse();
  return `${bytes.toString("hex")}:${port.toString(16).padStart(4, "0")}`.toUpperCase();
}

/** How many connections on 127.0.0.1 with this port at one end have TCP keep-alive. */
export async function keptAlive(end: "local" | "remote", port: number): Promise<number> {
  const wanted = formatEnd("127.0.0.1", port);
  const rows = await readTable();
  return rows.filter((row) => row[end] === wanted && row.state === established && row.timer.startsWith(keepAliveTimer))
    .length;
}

/** Whether anybody has dialled this address, answered or not. */
export async function isDialled(host: string, port: number): Promise<boolean> {
  const wanted = formatEnd(host, port);
  return (await readTable()).some(({ remote }) => remote === wanted);
}
