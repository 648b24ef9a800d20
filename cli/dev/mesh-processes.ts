/** How each process of a mesh is started: its command, its folder, its environment. It starts none of them. */

import { dirname, resolve } from "node:path";
import type { Bundles } from "../../deploy/build.ts";
import { version } from "../../system/version.ts";
import { type AddressBlock, sidecarPorts } from "./addresses.ts";
import { annotations, type DevDeployment } from "./deployments.ts";
import type { Report } from "./mesh-event.ts";
import { Pod } from "./pod.ts";
import { applicationEnvironment, nodeName, type PodIdentity, telemetryEnvironment, zoneLabel } from "./pod-object.ts";
import { markVariable } from "./process-table.ts";
import type { PodFiles, StateFolder } from "./state-folder.ts";
import type { ProcessOptions } from "./supervised-process.ts";

/** What all processes of a mesh share. */
export interface MeshGround {
  /** As the user named it. */
  readonly folder: string;
  /** The folder in which applications are started. */
  readonly workFolder: string;
  readonly env: NodeJS.ProcessEnv;
  readonly block: AddressBlock;
  readonly state: StateFolder;
  readonly bundles: Bundles;
  /** The mark in the environment of every process of this mesh. */
  readonly mark: string;
}

const trustDomain = "cluster.local";

/** For a control plane, whose young generation would otherwise grow to 130 MB while it reads a large cluster. */
export const controlPlaneNodeFlags: readonly string[] = ["--max-semi-space-size=4"];

/** Limits the young generation of a sidecar's heap (docs/performance.md). The rest it does by itself: `system/hold-heap.ts`. */
export const sidecarNodeFlags: readonly string[] = ["--max-semi-space-size=2"];

export class MeshProcesses {
  readonly #ground: MeshGround;

  constructor(ground: MeshGround) {
    this.#ground = ground;
  }

  controlPlane(): ProcessOptions {
    const folders = ["--folder", this.#ground.folder, "--folder", this.#ground.state.objects];
    const address = ["--listen-address", this.#ground.block.controlPlane, "--trust-domain", trustDomain];
    return {
      command: process.execPath,
      args: [
        ...controlPlaneNodeFlags,
        this.#ground.bundles.controlPlane,
        ...folders,
        "--state",
        this.#ground.state.controlPlane,
        ...address,
      ],
      // The folder may be given relative to the current one.
      folder: process.cwd(),
      env: this.#ownEnvironment(),
    };
  }

  pod(deployment: DevDeployment, ordinal: number, podIP: string, report: Report, onReadiness: () => void): Pod {
    const { namespace, name, template } = deployment;
    const { serviceAccount } = template;
    return new Pod({
      identity: { namespace, pod: `${name}-${ordinal}`, podIP, serviceAccount, workload: name },
      deployment,
      state: this.#ground.state,
      version,
      report,
      onReadiness,
      onGone: () => this.#ground.block.giveBack(podIP),
      sidecar: (identity, files) => this.#sidecar(identity, deployment, files),
      application: (identity) => this.#application(identity, deployment),
    });
  }

  #sidecar(identity: PodIdentity, deployment: DevDeployment, files: PodFiles): ProcessOptions {
    const { compileCache } = this.#ground.bundles;
    return {
      command: process.execPath,
      args: [...sidecarNodeFlags, this.#ground.bundles.sidecar],
      folder: files.stateFolder,
      env: {
        ...recordingAll(this.#ground.env),
        ...this.#ownEnvironment(),
        ...(compileCache !== undefined && { NODE_COMPILE_CACHE: compileCache }),
        TULLE_RECENT_TRACES: "on",
        TULLE_NAMESPACE: identity.namespace,
        TULLE_WORKLOAD: identity.workload,
        TULLE_POD: identity.pod,
        TULLE_SERVICE_ACCOUNT: identity.serviceAccount,
        TULLE_NODE: nodeName,
        TULLE_ZONE: deployment.template.labels[zoneLabel] ?? "",
        POD_IP: identity.podIP,
        TULLE_TOKEN_FILE: files.tokenFile,
        TULLE_TRUST_BUNDLE: this.#ground.state.trustBundle,
        TULLE_STATE_DIR: files.stateFolder,
        TULLE_CONTROL_PLANE: this.#ground.block.controlPlane,
        TULLE_TRUST_DOMAIN: trustDomain,
        TULLE_UPSTREAMS: deployment.template.annotations[annotations.upstreams] ?? "",
        TULLE_REDIS_URL_FILE: absolute(this.#ground.env["TULLE_REDIS_URL_FILE"]),
      },
    };
  }

  #application(identity: PodIdentity, deployment: DevDeployment): ProcessOptions {
    const base = {
      ...this.#ground.env,
      OTEL_SERVICE_NAME: deployment.name,
      PATH: this.#path(),
      [markVariable]: this.#ground.mark,
    };
    const proxyUrl = `http://${identity.podIP}:${sidecarPorts.outbound}`;
    return {
      command: "/bin/sh",
      args: ["-c", deployment.template.command],
      folder: this.#ground.workFolder,
      env: applicationEnvironment(identity, deployment, proxyUrl, base),
    };
  }

  /** The environment of the mesh's own processes: no more of the user's than they read. */
  #ownEnvironment(): NodeJS.ProcessEnv {
    return { PATH: this.#path(), [markVariable]: this.#ground.mark, ...telemetryEnvironment(this.#ground.env) };
  }

  /** Puts the project's Node first. */
  #path(): string {
    return `${dirname(process.execPath)}:${this.#ground.env["PATH"] ?? ""}`;
  }
}

/** A sidecar runs in a folder of its own, so paths must be absolute. */
function absolute(path: string | undefined): string {
  return path === undefined || path === "" ? "" : resolve(path);
}

/** If traces go only to the dashboard, all are recorded: a single request should leave a trace to look at. */
function recordingAll(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const endpoints = [env["OTEL_EXPORTER_OTLP_ENDPOINT"], env["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"]];
  return endpoints.every((endpoint) => (endpoint ?? "") === "") ? { OTEL_TRACES_SAMPLER_ARG: "1" } : {};
}
