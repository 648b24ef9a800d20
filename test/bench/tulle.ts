/**
 * Tulle as users run it: the control plane and two sidecars from the bundles, started with the flags of `tulle dev` and
 * configured by YAML. Retry, timeout, breaker, split and access policy are on, and one trace in a hundred goes to an OTLP
 * receiver.
 */

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ContainerPort, DevDeployment } from "../../cli/dev/deployments.ts";
import { sidecarNodeFlags } from "../../cli/dev/mesh-processes.ts";
import { type PodIdentity, podObject } from "../../cli/dev/pod-object.ts";
import { StateFolder } from "../../cli/dev/state-folder.ts";
import { ensureBundles } from "../../deploy/build.ts";
import { version } from "../../system/version.ts";
import { answersOk } from "./answers.ts";
import type { Chain } from "./chain.ts";
import type { Ground, Wire } from "./ground.ts";
import { defaultScale, policies, type Scale, toYaml } from "./policies.ts";
import { type Command, until } from "./processes.ts";

export interface TulleOptions {
  readonly name?: string;
  readonly scale?: Scale;
  /** The share of traces that a sidecar records if no caller has decided. Default 0.01. */
  readonly samplingRatio?: number;
  /** Arguments for Node itself, before the bundle: `--cpu-prof`. */
  readonly nodeArgs?: readonly string[];
}

export function tulle({ name = "tulle", ...choices }: TulleOptions = {}): Chain {
  return {
    name,
    async prepare(ground, wire, processes) {
      const { otlp, controlPlane, inbound, outbound } = await writeMesh(ground, wire, choices);
      processes.start(otlp);
      processes.start(controlPlane);
      const ready = `http://${ground.controlPlane}:${controlPlaneAdminPort}/ready`;
      await until(() => answersOk(ready), `${ready} does not answer 200`, readyWithinMs);
      return { inbound, outbound, link: { host: ground.server, port: meshPort } };
    },
  };
}

const controlPlaneAdminPort = 15_014;
/** Where peers connect to a sidecar. */
export const meshPort = 15_008;
const otlpPort = 4_318;
const readyWithinMs = 20_000;

interface MeshCommands {
  readonly otlp: Command;
  readonly controlPlane: Command;
  readonly inbound: Command;
  readonly outbound: Command;
}

const defaultSamplingRatio = 0.01;

let meshes = 0;

/** Writes everything that the processes read, for a mesh that starts from nothing. */
async function writeMesh(
  ground: Ground,
  wire: Wire,
  { scale = defaultScale, nodeArgs = [], samplingRatio = defaultSamplingRatio }: TulleOptions,
): Promise<MeshCommands> {
  const bundles = await ensureBundles();
  const folder = join(ground.folder, `tulle-${++meshes}`);
  const manifests = join(folder, "manifests");
  mkdirSync(manifests, { recursive: true });
  writeFileSync(join(manifests, "bench.yaml"), toYaml(policies(wire, ground.app.port, scale)));
  const state = new StateFolder({ XDG_RUNTIME_DIR: folder });
  const sidecar = (workload: "client" | "app", podIP: string, upstreams: string): Command => {
    const serviceAccount = workload === "app" ? "server" : "client";
    const identity: PodIdentity = { namespace: "bench", pod: `${workload}-0`, podIP, serviceAccount, workload };
    const files = state.admitPod(identity);
    writePods(state, identity, ground, workload === "app" ? scale.endpoints : 1);
    return {
      command: process.execPath,
      args: [...sidecarNodeFlags, ...nodeArgs, bundles.sidecar],
      folder: files.stateFolder,
      env: {
        NODE_COMPILE_CACHE: bundles.compileCache,
        ...ownEnvironment(ground, samplingRatio),
        TULLE_NAMESPACE: identity.namespace,
        TULLE_WORKLOAD: workload,
        TULLE_POD: identity.pod,
        TULLE_SERVICE_ACCOUNT: serviceAccount,
        POD_IP: podIP,
        TULLE_TOKEN_FILE: files.tokenFile,
        TULLE_TRUST_BUNDLE: state.trustBundle,
        TULLE_STATE_DIR: files.stateFolder,
        TULLE_CONTROL_PLANE: ground.controlPlane,
        TULLE_UPSTREAMS: upstreams,
      },
    };
  };
  const folders = ["--folder", manifests, "--folder", state.objects];
  const address = ["--listen-address", ground.controlPlane];
  return {
    otlp: {
      command: process.execPath,
      args: [join(import.meta.dirname, "otlp-receiver.ts"), ground.controlPlane, String(otlpPort)],
    },
    controlPlane: {
      command: process.execPath,
      args: [bundles.controlPlane, ...folders, "--state", state.controlPlane, ...address],
      env: { PATH: process.env["PATH"] },
    },
    inbound: sidecar("app", ground.server, ""),
    outbound: sidecar("client", ground.client, `app:80=${ground.out.host}:${ground.out.port}`),
  };
}

function ownEnvironment({ controlPlane }: Ground, samplingRatio: number): NodeJS.ProcessEnv {
  return {
    PATH: process.env["PATH"],
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://${controlPlane}:${otlpPort}`,
    OTEL_TRACES_SAMPLER: "parentbased_traceidratio",
    OTEL_TRACES_SAMPLER_ARG: String(samplingRatio),
  };
}

/** Several endpoints are pods that share an address, with one port each: as many as wanted, behind one sidecar. */
function writePods(state: StateFolder, identity: PodIdentity, ground: Ground, count: number): void {
  for (let index = 0; index < count; index++) {
    const pod = index === 0 ? identity : { ...identity, pod: `${identity.workload}-${index}` };
    const ports = identity.workload === "app" ? [{ containerPort: ground.app.port + index, name: "app" }] : [];
    state.writePod(pod, podObject(pod, deployment(identity, ports), { ready: true }, version));
  }
}

function deployment(
  { namespace, workload, serviceAccount }: PodIdentity,
  ports: readonly ContainerPort[],
): DevDeployment {
  const labels = { app: workload };
  const template = { command: "", labels, annotations: {}, serviceAccount, ports, env: [], graceMs: 0 };
  return { namespace, name: workload, replicas: 1, template };
}
