/** The version of this checkout, which its sidecars announce too. */

import packageJson from "../package.json" with { type: "json" };

export const version = packageJson.version;
