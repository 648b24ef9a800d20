/** Takes the place of a sidecar in tests of the supervisor alone: it is ready at once. */

import { createServer } from "node:http";

process.once("SIGTERM", () => process.exit(0));
createServer((_request, response) => response.end()).listen(15020, process.env["POD_IP"]);
