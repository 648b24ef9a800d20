import { readFile } from "node:fs/promises";

const established = "01";
/** The kernel's timer for it; a retransmission, which has its timer first, is 01. */
const keepAliveTimer = "02";

/** How many connections on 127.0.0.1 with this port at one end have TCP keep-alive. Linux alone tells. */
export async function keptAlive(end: "local" | "remote", port: number): Promise<number> {
  const rows = (await readFile("/proc/net/tcp", "latin1")).trim().split("\n").slice(1);
  const address = `0100007F:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  return rows.filter((row) => {
    const [, local, remote, state, , timer] = row.trim().split(/\s+/);
    return (end === "local" ? local : remote) === address && state === established && timer?.startsWith(keepAliveTimer);
  }).length;
}
