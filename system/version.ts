/** The version of this checkout, for the CLI, the control plane and the sidecars. */

import packageJson from "../package.json" with { type: "json" };

export const version = packageJson.version;
