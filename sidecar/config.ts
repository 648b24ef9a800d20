/** What a sidecar is told by its environment. Read once, at the start; a wrong value ends it with a line that names it. */

import type { FieldError, Result } from "../model/result.ts";
import { err, ok } from "../model/result.ts";
import { splitAddress } from "./net/address.ts";
import type { Upstream } from "./sidecar.ts";

export interface SidecarConfig {
  readonly namespace: string;
  /** The name of what owns the pod: its Deployment, StatefulSet or the like. */
  readonly workload: string;
  readonly pod: string;
  readonly podIp: string;
  readonly trustDomain: string;
  readonly upstreams: readonly Upstream[];
  readonly outboundMtls: "preferred" | "required";
  readonly drainGraceMs: number;
}

/** What it takes to be told the rest by a control plane. */
export interface ControlPlaneConfig {
  readonly serviceAccount: string;
  readonly tokenFile: string;
  readonly trustBundleFile: string;
  /** Key, chain and last resources, for a restart without a control plane. */
  readonly stateFolder: string;
  /** Its hosts. */
  readonly controlPlane: readonly string[];
}

type Variables = Readonly<Record<string, string | undefined>>;

const defaultDrainGraceMs = 10_000;

/** All that is wrong, not only the first. */
export function readConfig(env: Variables): Result<SidecarConfig & ControlPlaneConfig, FieldError[]> {
  const errors: FieldError[] = [];
  const required = (name: string): string => {
    const value = env[name] ?? "";
    if (value === "") errors.push({ path: name, message: "must be set" });
    return value;
  };
  const upstreams = parseUpstreams(env["TULLE_UPSTREAMS"] ?? "");
  if (!upstreams.ok) errors.push(upstreams.error);
  const outboundMtls = env["TULLE_OUTBOUND_MTLS"] ?? "preferred";
  if (outboundMtls !== "preferred" && outboundMtls !== "required") {
    errors.push({ path: "TULLE_OUTBOUND_MTLS", message: `must be preferred or required, got ${outboundMtls}` });
  }
  const drainSeconds = Number(env["TULLE_DRAIN_SECONDS"] ?? defaultDrainGraceMs / 1_000);
  if (!(drainSeconds >= 0)) {
    errors.push({
      path: "TULLE_DRAIN_SECONDS",
      message: `must be a number, at least 0, got ${env["TULLE_DRAIN_SECONDS"]}`,
    });
  }
  const config: SidecarConfig & ControlPlaneConfig = {
    namespace: required("TULLE_NAMESPACE"),
    workload: required("TULLE_WORKLOAD"),
    pod: required("TULLE_POD"),
    serviceAccount: required("TULLE_SERVICE_ACCOUNT"),
    podIp: required("POD_IP"),
    trustDomain: env["TULLE_TRUST_DOMAIN"] ?? "cluster.local",
    tokenFile: required("TULLE_TOKEN_FILE"),
    trustBundleFile: required("TULLE_TRUST_BUNDLE"),
    stateFolder: required("TULLE_STATE_DIR"),
    controlPlane: required("TULLE_CONTROL_PLANE")
      .split(",")
      .map((host) => host.trim()),
    upstreams: upstreams.ok ? upstreams.value : [],
    outboundMtls: outboundMtls === "required" ? "required" : "preferred",
    drainGraceMs: drainSeconds * 1_000,
  };
  return errors.length > 0 ? err(errors) : ok(config);
}

/** `payments:80=127.0.0.1:9001,orders:80=127.0.0.1:9002`, as the annotation `tulle.dev/upstreams` has it. */
export function parseUpstreams(text: string): Result<Upstream[], FieldError> {
  const upstreams: Upstream[] = [];
  for (const entry of text.split(",").map((part) => part.trim())) {
    if (entry === "") continue;
    const [destination = "", listener = ""] = entry.split("=");
    const to = splitAddress(destination);
    const at = splitAddress(listener);
    if (to.host === "" || to.port === undefined || at.port === undefined || !isLoopback(at.host)) {
      const message = `must be DESTINATION:PORT=LOOPBACK_ADDRESS:PORT, separated by commas, got ${entry}`;
      return err({ path: "TULLE_UPSTREAMS", message });
    }
    upstreams.push({ host: to.host, port: to.port, listenHost: at.host, listenPort: at.port });
  }
  return ok(upstreams);
}

/** Open to others, it would be a proxy with this pod's identity. */
function isLoopback(host: string): boolean {
  return host === "::1" || /^127\.\d+\.\d+\.\d+$/.test(host);
}
