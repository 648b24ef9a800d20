/** nghttpd: the application behind all HTTP/2 chains. */

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Ground } from "../ground.ts";
import type { Command } from "../processes.ts";

const answer = `{"id":42,"name":"widget","price":1999,"stock":17}`;

/** Serves the same answer as the HTTP/1.1 application, from a file. */
export function nghttpdApplication({ folder, tools, app }: Ground): Command {
  const root = join(folder, "www");
  mkdirSync(join(root, "api/v1"), { recursive: true });
  writeFileSync(join(root, "api/v1/items"), answer);
  const address = ["-a", app.host, "--no-tls", "-d", root, "-m", "1000", String(app.port)];
  return { command: tools.require("nghttpd"), args: address };
}
