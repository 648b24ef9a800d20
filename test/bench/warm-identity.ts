/** A standalone control plane from its bundle, with lasting connections to its Identity port: certificates over gRPC. */

import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ChannelCredentials } from "@grpc/grpc-js";
import { StateFolder } from "../../cli/dev/state-folder.ts";
import { ensureBundles } from "../../deploy/build.ts";
import { Identity } from "../../proto/load.ts";
import { answersOk } from "./answers.ts";
import type { Ground } from "./ground.ts";
import { type Processes, until } from "./processes.ts";

const identityPort = 15_012;
const adminPort = 15_014;
const readyWithinMs = 20_000;
const connections = 4;
/** Calls under way per connection. */
const callsAtOnce = 8;

export class WarmIdentity {
  readonly pid: number;
  readonly #clients: readonly InstanceType<typeof Identity>[];
  readonly #token: string;

  private constructor(pid: number, clients: readonly InstanceType<typeof Identity>[], token: string) {
    this.pid = pid;
    this.#clients = clients;
    this.#token = token;
  }

  static async start(ground: Ground, processes: Processes): Promise<WarmIdentity> {
    const { controlPlane } = await ensureBundles();
    const state = new StateFolder({ XDG_RUNTIME_DIR: join(ground.folder, "identity") });
    const manifests = join(ground.folder, "identity", "manifests");
    mkdirSync(manifests, { recursive: true });
    const pod = { namespace: "bench", pod: "web-0", podIP: ground.client, serviceAccount: "web", workload: "web" };
    const { tokenFile } = state.admitPod(pod);
    const folders = ["--folder", manifests, "--state", state.controlPlane, "--listen-address", ground.controlPlane];
    const env = { PATH: process.env["PATH"] };
    const pid = processes.start({ command: process.execPath, args: [controlPlane, ...folders], env });
    const ready = `http://${ground.controlPlane}:${adminPort}/ready`;
    await until(() => answersOk(ready), `${ready} does not answer 200`, readyWithinMs);
    const credentials = ChannelCredentials.createSsl(readFileSync(state.trustBundle), null, null, {
      checkServerIdentity: () => undefined, // the cost for the server does not depend on whose certificate it is
    });
    const options = { "grpc.ssl_target_name_override": "tulle-control-plane", "grpc.use_local_subchannel_pool": 1 };
    const dial = () => new Identity(`${ground.controlPlane}:${identityPort}`, credentials, options);
    return new WarmIdentity(pid, Array.from({ length: connections }, dial), readFileSync(tokenFile, "utf8").trim());
  }

  /** The number of certificates issued in this many seconds. */
  async load(seconds: number, requests: readonly Buffer[]): Promise<number> {
    const endMs = performance.now() + seconds * 1_000;
    let issued = 0;
    const caller = async (client: InstanceType<typeof Identity>): Promise<void> => {
      while (performance.now() < endMs) {
        await this.#issue(client, requests[issued % requests.length] as Buffer);
        issued++;
      }
    };
    const callers = this.#clients.flatMap((client) => Array.from({ length: callsAtOnce }, () => caller(client)));
    await Promise.all(callers);
    return issued;
  }

  close(): void {
    for (const client of this.#clients) client.close();
  }

  #issue(client: InstanceType<typeof Identity>, csrDer: Buffer): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    client.Issue({ csrDer, token: this.#token }, (error) => (error === null ? resolve() : reject(error)));
    return promise;
  }
}
