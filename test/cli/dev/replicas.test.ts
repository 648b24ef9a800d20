import { describe, expect, it } from "vitest";
import type { DevDeployment, PodTemplate } from "../../../cli/dev/deployments.ts";
import type { PodPhase } from "../../../cli/dev/pod.ts";
import { nextStep } from "../../../cli/dev/replicas.ts";

const template: PodTemplate = {
  command: "node web.ts",
  labels: { app: "web" },
  annotations: {},
  serviceAccount: "web",
  ports: [],
  env: [],
  graceMs: 30_000,
};

function deployment(replicas: number, command = template.command): DevDeployment {
  return { namespace: "shop", name: "web", replicas, template: { ...template, command } };
}

function pod(phase: PodPhase, command = template.command) {
  return { phase, deployment: deployment(1, command) };
}

describe("nextStep", () => {
  it("starts pods until there are as many as wanted", () => {
    expect(nextStep(deployment(2), [pod("starting")])).toEqual({ kind: "start" });
    expect(nextStep(deployment(2), [pod("starting"), pod("starting")])).toEqual({ kind: "settled" });
  });

  it("stops the newest of too many", () => {
    const newest = pod("ready");
    const step = nextStep(deployment(1), [pod("ready"), newest]);
    expect(step.kind === "stop" && step.pod).toBe(newest);
  });

  it("stops all pods of a Deployment that is gone", () => {
    expect(nextStep(undefined, [pod("ready")]).kind).toBe("stop");
    expect(nextStep(undefined, [])).toEqual({ kind: "settled" });
  });

  it("starts new pods before it stops those of an older template", () => {
    expect(nextStep(deployment(1), [pod("ready", "old")])).toEqual({ kind: "start" });
  });

  it("keeps the old pods while a new one is not ready", () => {
    expect(nextStep(deployment(1), [pod("ready", "old"), pod("starting")])).toEqual({ kind: "settled" });
  });

  it("stops the old pods once all new ones are ready", () => {
    const old = pod("ready", "old");
    const step = nextStep(deployment(1), [old, pod("ready")]);
    expect(step.kind === "stop" && step.pod).toBe(old);
  });
});
