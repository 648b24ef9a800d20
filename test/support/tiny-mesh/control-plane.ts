/** Stands where the control plane stands, for tests of the supervisor alone: ready at once, and sees what it is told to see. */

import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";

const args = process.argv.slice(2);
const folder = args[args.indexOf("--folder") + 1] ?? "";
const address = args[args.indexOf("--listen-address") + 1] ?? "";
const complaint = join(folder, "complaint.txt");

const server = createServer((_request, response) => {
  const problems = existsSync(complaint) ? [readFileSync(complaint, "utf8")] : [];
  response.end(JSON.stringify({ problems }));
});
process.once("SIGTERM", () => process.exit(0));
server.listen(15014, address);
