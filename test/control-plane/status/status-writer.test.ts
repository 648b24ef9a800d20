import { beforeEach, describe, expect, it } from "vitest";
import type { ApiAnswer, ApiRequest } from "../../../control-plane/kubernetes/cluster-api.ts";
import type { Condition } from "../../../control-plane/status/condition.ts";
import { policyTarget } from "../../../control-plane/status/status-target.ts";
import { StatusWriter } from "../../../control-plane/status/status-writer.ts";
import { HandClock } from "../../support/hand-clock.ts";
import { RecordedLog } from "../../support/recorded-log.ts";

const second = 1_000;
const good: Condition = { type: "Accepted", status: "True", reason: "Accepted", message: "" };
const bad: Condition = { type: "Accepted", status: "False", reason: "Conflicted", message: "spec: older one there" };

/** What a scenario says the API server answers; `test/cluster` meets a real one. */
class ScriptedApi {
  readonly requests: ApiRequest[] = [];
  status: unknown;
  generation = 1;
  uid = "u-1";
  onRequest: (request: ApiRequest) => void = () => {};
  answers: Partial<Record<"GET" | "PATCH" | "POST", (ApiAnswer | Error)[]>> = {};

  async request(request: ApiRequest): Promise<ApiAnswer> {
    this.requests.push(request);
    this.onRequest(request);
    const { method = "GET", body } = request;
    const next = this.answers[method as "GET" | "PATCH" | "POST"]?.shift();
    if (next instanceof Error) throw next;
    if (next !== undefined) return next;
    if (method === "PATCH") this.status = (body as { status: unknown }).status;
    const metadata = { resourceVersion: "7", generation: this.generation, uid: this.uid };
    return { status: 200, body: { metadata, status: this.status } };
  }

  get methods(): string {
    return this.requests.map(({ method = "GET" }) => method).join(" ");
  }
}

let api: ScriptedApi;
let clock: HandClock;
let leads: boolean;
let returning: boolean;
/** Of the objects that the source has seen. */
let seenUid: string;
let conditions: Record<string, Condition>;
let outcomes: string[];
let log: RecordedLog;
let writer: StatusWriter;

beforeEach(() => {
  api = new ScriptedApi();
  clock = new HandClock();
  leads = true;
  returning = false;
  seenUid = "u-1";
  conditions = { a: good };
  outcomes = [];
  log = new RecordedLog();
  writer = new StatusWriter({
    api,
    targets: () =>
      Object.entries(conditions).flatMap(([name, condition]) => {
        const target = policyTarget({
          kind: "TimeoutPolicy",
          namespace: "shop",
          name,
          uid: seenUid,
          file: "",
          line: 1,
          observedGeneration: 1,
          problems: [],
          conditions: [condition],
        });
        return target === undefined ? [] : [target];
      }),
    returning: () => returning,
    leads: () => leads,
    instance: "replica-1",
    clock,
    wallClock: () => Date.UTC(2026, 5, 1, 12),
    random: () => 0.5,
    log: log.write,
    count: (outcome) => outcomes.push(outcome),
  });
});

/** Lets what has changed settle, and writes it. */
async function settle(): Promise<void> {
  writer.markChanged();
  clock.advance(300);
  await writer.round();
}

describe("a status", () => {
  it("is written over the version that was read", async () => {
    await settle();
    expect(api.requests[1]).toMatchObject({
      method: "PATCH",
      path: "/apis/tulle.dev/v1alpha1/namespaces/shop/timeoutpolicies/a/status",
      body: {
        metadata: { resourceVersion: "7" },
        status: { conditions: [{ ...good, observedGeneration: 1, lastTransitionTime: "2026-06-01T12:00:00Z" }] },
      },
    });
    expect(outcomes).toEqual(["written"]);
  });

  it("is neither read nor written again while nothing is different", async () => {
    await settle();
    await settle();
    await settle();
    expect(api.methods).toBe("GET PATCH");
  });

  it("is not written where it stands there already, as after a change of leaders", async () => {
    await settle();
    leads = false;
    await writer.round();
    leads = true;
    await settle();
    expect(api.methods).toBe("GET PATCH GET");
    expect(outcomes).toEqual(["written", "unchanged"]);
  });

  it("waits until changes have settled, and then says the last of them", async () => {
    conditions = { a: bad };
    writer.markChanged();
    clock.advance(299);
    await writer.round();
    conditions = { a: good };
    writer.markChanged();
    clock.advance(1);
    await writer.round();
    expect(api.methods).toBe("GET PATCH");
    expect(api.status).toMatchObject({ conditions: [{ reason: "Accepted" }] });
  });

  it("waits for the source where the object is newer than what it is about", async () => {
    api.generation = 2;
    await settle();
    expect(api.methods).toBe("GET");
  });

  it("is written anew to another object of the same name and content, once the source has seen that", async () => {
    await settle();
    api.uid = "u-2";
    api.status = undefined;
    await settle();
    expect(api.methods).toBe("GET PATCH");
    seenUid = "u-2";
    await settle();
    expect(outcomes).toEqual(["written", "written"]);
  });

  it("of one object is not written to another", async () => {
    api.uid = "u-2";
    await settle();
    expect(api.methods).toBe("GET");
  });

  it("of an object that is gone is forgotten", async () => {
    api.answers = { GET: [{ status: 404, body: {} }] };
    await settle();
    expect(outcomes).toEqual(["gone"]);
    expect(log.lines).toEqual([]);
  });

  it("is read again where somebody else wrote in between", async () => {
    api.answers = { PATCH: [{ status: 409, body: {} }] };
    await settle();
    expect(api.methods).toBe("GET PATCH GET PATCH");
    expect(outcomes).toEqual(["conflict", "written"]);
  });

  it("that the API server refuses is said once, and not tried again until it is another", async () => {
    api.answers = { PATCH: [{ status: 422, body: { message: "conditions: too many" } }] };
    await settle();
    await settle();
    expect(api.methods).toBe("GET PATCH");
    expect(log.lines).toMatchObject([{ level: "error", message: "status refused", fields: { name: "a" } }]);
    conditions = { a: bad };
    await settle();
    expect(outcomes).toEqual(["refused", "written"]);
  });
});

it("asks again by itself what is true, for as long as sidecars return", async () => {
  returning = true;
  await settle();
  conditions = { a: bad };
  clock.advance(writer.pauseMs);
  await writer.round();
  expect(api.status).toMatchObject({ conditions: [{ reason: "Conflicted" }] });
  returning = false;
  clock.advance(writer.pauseMs);
  await writer.round();
  expect(writer.pauseMs).toBeGreaterThan(60 * second);
});

describe("where the API server fails", () => {
  it.each<[string, ApiAnswer | Error]>([
    ["with 500", { status: 500, body: { message: "etcd is gone" } }],
    ["by not answering", new Error("no answer within 10000 ms")],
  ])("%s, the writer waits longer each time, and then writes", async (_, answer) => {
    api.answers = { GET: [answer, answer] };
    await settle();
    expect(writer.pauseMs).toBeCloseTo(500);
    clock.advance(499);
    await writer.round();
    expect(api.requests).toHaveLength(1);
    clock.advance(2);
    await writer.round();
    expect(writer.pauseMs).toBeCloseTo(1_000);
    clock.advance(writer.pauseMs);
    await writer.round();
    expect(outcomes).toEqual(["failed", "failed", "written"]);
  });

  it("with 429, the writer waits for as long as it is asked to", async () => {
    api.answers = { PATCH: [{ status: 429, body: {}, retryAfterMs: 7 * second }] };
    await settle();
    expect(writer.pauseMs).toBe(7 * second);
  });

  it("for one object, the others come first the next time", async () => {
    conditions = { a: good, b: good };
    api.answers = { GET: [{ status: 500, body: {} }] };
    await settle();
    clock.advance(writer.pauseMs);
    await writer.round();
    expect(api.requests.map(({ path }) => path.split("/").slice(7).join("/"))).toEqual(["a", "b", "b/status", "a"]);
  });
});

describe("a replica that does not lead", () => {
  it("writes nothing", async () => {
    leads = false;
    await settle();
    expect(api.requests).toEqual([]);
  });

  it("stops in the middle of its work when another leads", async () => {
    conditions = { a: good, b: good, c: good };
    api.onRequest = ({ method }) => {
      if (method === "PATCH") leads = false;
    };
    await settle();
    expect(api.methods).toBe("GET PATCH");
  });

  it("writes everything anew once it leads again, though nobody told it", async () => {
    await settle();
    leads = false;
    await writer.round();
    leads = true;
    api.status = undefined;
    await writer.round();
    clock.advance(writer.pauseMs);
    await writer.round();
    expect(outcomes).toEqual(["written", "written"]);
  });
});

it("writes at most 50 statuses a second", async () => {
  conditions = Object.fromEntries(Array.from({ length: 120 }, (_, index) => [`p${index}`, good]));
  await settle();
  expect(outcomes).toHaveLength(50);
  clock.advance(second);
  await writer.round();
  expect(outcomes).toHaveLength(100);
  clock.advance(writer.pauseMs);
  await writer.round();
  expect(writer.pauseMs).toBeGreaterThan(0);
});

it("looks after ten minutes whether its statuses still stand", async () => {
  await settle();
  api.status = { conditions: [] };
  clock.advance(writer.pauseMs);
  await writer.round();
  clock.advance(writer.pauseMs);
  await writer.round();
  expect(clock.now()).toBeGreaterThan(600 * second);
  expect(outcomes).toEqual(["written", "written"]);
});

describe("an Event", () => {
  it("tells what a user has to put right, once for each generation", async () => {
    conditions = { a: bad };
    await settle();
    const event = api.requests.find(({ method }) => method === "POST");
    expect(event?.path).toBe("/apis/events.k8s.io/v1/namespaces/shop/events");
    expect(event?.body).toMatchObject({
      type: "Warning",
      reason: "Conflicted",
      action: "Accept",
      note: "spec: older one there",
      eventTime: "2026-06-01T12:00:00.000000Z",
      reportingController: "tulle.dev/controller",
      reportingInstance: "replica-1",
      regarding: { kind: "TimeoutPolicy", namespace: "shop", name: "a", uid: "u-1" },
    });
  });

  it("has the name of what it says, so that it is never there twice", async () => {
    const namesOf = () =>
      api.requests
        .filter(({ method }) => method === "POST")
        .map(({ body }) => (body as { metadata: { name: string } }).metadata.name);
    conditions = { a: bad };
    await settle();
    api.status = undefined;
    api.answers = { POST: [{ status: 409, body: {} }] };
    leads = false;
    await writer.round();
    leads = true;
    await settle();
    const [first, second] = namesOf();
    expect(first).toMatch(/^a\.[0-9a-f]{16}$/);
    expect(second).toBe(first);
    expect(log.lines).toEqual([]);
  });

  it("is not made of a status that is well, or only waits", async () => {
    conditions = { a: { type: "Programmed", status: "False", reason: "Pending", message: "1/2" } };
    await settle();
    expect(api.methods).toBe("GET PATCH");
  });

  it("that can't be written holds up nothing", async () => {
    conditions = { a: bad };
    api.answers = { POST: [{ status: 403, body: { message: "events is forbidden" } }] };
    await settle();
    expect(outcomes).toEqual(["written"]);
    expect(log.messages).toEqual(["event not written"]);
  });
});

it("wakes for a change, and ends with its signal", async () => {
  const stopping = new AbortController();
  const ended = writer.run(stopping.signal);
  writer.markChanged();
  clock.advance(300);
  stopping.abort();
  await ended;
  expect(api.methods).toBe("");
});
