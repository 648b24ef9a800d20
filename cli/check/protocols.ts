/** Ports whose protocol is not declared: the sidecar must wait for their first bytes, and guess. */

import { type Check, named, ok, warn } from "./finding.ts";

export const protocols: Check = {
  name: "protocols",
  async run({ reading }) {
    const { snapshot } = (await reading()).pipeline;
    const declared = snapshot.list("destination").filter(({ resource }) => resource.kind === "destination");
    const meshed = declared.filter(({ resource }) => {
      if (resource.kind !== "destination") return false;
      const backends = resource.value.routes.flatMap((route) => route.backends);
      return backends.some(({ endpoints }) => {
        const known = snapshot.get("endpoints", endpoints)?.resource;
        return known?.kind === "endpoints" && known.value.endpoints.some(({ identity }) => identity !== undefined);
      });
    });
    const guessed = meshed.filter(
      ({ resource }) => resource.kind === "destination" && resource.value.protocol === "detect",
    );
    if (meshed.length === 0) return [];
    if (guessed.length === 0) return [ok(`declared for ${meshed.length} ports of meshed Services`)];
    const fix = "set appProtocol of the Service's port: http, kubernetes.io/h2c, grpc, tcp …";
    return [warn(`guessed for ${named(guessed.map(({ name }) => name))}`, fix)];
  },
};
