import { beforeEach, expect, it } from "vitest";
import type { PodWithoutSidecar } from "../../../control-plane/injection/pods-without-sidecar.ts";
import type { ApiAnswer, ApiRequest } from "../../../control-plane/kubernetes/cluster-api.ts";
import { SidecarEvents } from "../../../control-plane/status/sidecar-events.ts";
import { RecordedLog } from "../../support/recorded-log.ts";

let pods: PodWithoutSidecar[];
let leads: boolean;
let answers: ApiAnswer[];
let requests: ApiRequest[];
let log: RecordedLog;
let events: SidecarEvents;

beforeEach(() => {
  pods = [{ namespace: "shop", name: "orders-1", uid: "u-1" }];
  leads = true;
  answers = [];
  requests = [];
  log = new RecordedLog();
  events = new SidecarEvents({
    api: {
      request: async (request) => {
        requests.push(request);
        return answers.shift() ?? { status: 201, body: {} };
      },
    },
    pods: () => pods,
    leads: () => leads,
    instance: "replica-1",
    wallClock: () => Date.UTC(2026, 5, 1, 12),
    log: log.write,
  });
});

async function rounds(count: number): Promise<number> {
  for (let i = 0; i < count; i++) await events.round();
  return requests.length;
}

it("reports a pod seen in two rounds once", async () => {
  expect(await rounds(1)).toBe(0);
  expect(await rounds(5)).toBe(1);
  expect(requests[0]).toMatchObject({
    path: "/apis/events.k8s.io/v1/namespaces/shop/events",
    body: { type: "Warning", reason: "NoSidecar", regarding: { kind: "Pod", name: "orders-1", uid: "u-1" } },
  });
});

it("does not report a pod that was replaced before the second round", async () => {
  await rounds(1);
  pods = [{ namespace: "shop", name: "orders-1", uid: "u-2" }];
  expect(await rounds(1)).toBe(0);
});

it("reports nothing while another replica leads", async () => {
  leads = false;
  expect(await rounds(3)).toBe(0);
  leads = true;
  expect(await rounds(1)).toBe(1);
});

it("retries what the API server did not accept, and not what was reported before", async () => {
  answers = [
    { status: 503, body: {} },
    { status: 409, body: {} },
  ];
  expect(await rounds(5)).toBe(2);
  expect(log.messages).toEqual(["event not written"]);
});

it("reports a hundred in a round, and the others in the next", async () => {
  pods = Array.from({ length: 150 }, (_, i) => ({ namespace: "shop", name: `p-${i}`, uid: `u-${i}` }));
  expect(await rounds(2)).toBe(100);
  expect(await rounds(1)).toBe(150);
});
