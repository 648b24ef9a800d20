/** The catalog, in the version that VERSION names. */

import { serve } from "./serve.ts";

const version = process.env["VERSION"] ?? "v1";
const article = version === "v1" ? { name: "net curtain" } : { name: "net curtain", colours: ["white", "sand"] };

await serve(`catalog ${version}`, ({ path }) =>
  Promise.resolve(
    path.startsWith("/articles/")
      ? { status: 200, json: { version, pod: process.env["POD_IP"] ?? "", ...article } }
      : { status: 404, json: { error: "not found" } },
  ),
);
