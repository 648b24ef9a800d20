/** A sidecar as a process, set up as injection would: its pod exists only in the API server, its token is real. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ClusterApi } from "../../../control-plane/kubernetes/cluster-api.ts";
import { collectLog, type LogLine } from "../../support/process-log.ts";
import { nested, type TestNamespace } from "./objects.ts";
import { requestToken } from "./workload.ts";

const main = join(import.meta.dirname, "../../../sidecar/main.ts");

export interface SidecarOptions {
  readonly api: ClusterApi;
  readonly namespace: TestNamespace;
  readonly workload: string;
  readonly podIp: string;
  readonly controlPlane: string;
  /** `orders:80=127.0.0.1:9001` */
  readonly upstreams?: string;
  /** What Node runs, with its flags before it; by default the sources. */
  readonly program?: readonly string[];
}

export class SidecarProcess {
  readonly lines: readonly LogLine[];
  readonly #child: ChildProcess;
  readonly #folder: string;
  readonly #ended: Promise<unknown>;

  private constructor(folder: string, program: readonly string[], env: NodeJS.ProcessEnv) {
    this.#folder = folder;
    this.#child = spawn(process.execPath, program, {
      stdio: ["ignore", "inherit", "pipe"],
      env: { ...process.env, ...env },
    });
    this.#ended = once(this.#child, "exit");
    if (this.#child.stderr === null) throw new Error("no log");
    this.lines = collectLog(this.#child.stderr);
  }

  /** It is not up yet. The pod `<workload>-1` must be there, and the trust bundle. */
  static async start(options: SidecarOptions): Promise<SidecarProcess> {
    const { api, namespace, workload, podIp, controlPlane, upstreams = "", program = [main] } = options;
    const folder = await mkdtemp(join(tmpdir(), "tulle-sidecar-"));
    const pod = `${workload}-1`;
    const token = await requestToken(api, { namespace, serviceAccount: workload, pod });
    const { body } = await namespace.read("v1", "configmaps/tulle-trust-bundle");
    await writeFile(join(folder, "token"), token, { mode: 0o600 });
    await writeFile(join(folder, "trust-bundle.pem"), String(nested(body, "data", "trust-bundle.pem")));
    return new SidecarProcess(folder, program, {
      POD_IP: podIp,
      TULLE_NAMESPACE: namespace.name,
      TULLE_WORKLOAD: workload,
      TULLE_POD: pod,
      TULLE_SERVICE_ACCOUNT: workload,
      TULLE_TOKEN_FILE: join(folder, "token"),
      TULLE_TRUST_BUNDLE: join(folder, "trust-bundle.pem"),
      TULLE_STATE_DIR: folder,
      TULLE_CONTROL_PLANE: controlPlane,
      TULLE_UPSTREAMS: upstreams,
    });
  }

  said(message: string): readonly LogLine[] {
    return this.lines.filter((line) => line["message"] === message);
  }

  async stop(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    this.#child.kill(signal);
    await this.#ended;
    await rm(this.#folder, { recursive: true, force: true });
  }
}
