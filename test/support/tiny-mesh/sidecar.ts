/** Stands where a sidecar stands, for tests of the supervisor alone: ready at once. */

import { createServer } from "node:http";

process.once("SIGTERM", () => process.exit(0));
createServer((_request, response) => response.end()).listen(15020, process.env["POD_IP"]);
