/**
 * The tour: starts the demo shop on a copy of its folder, proves the mesh's claims one by one through what an independent
 * client observes, and prints one line for each. A failed claim does not stop the others from being tested.
 */

import type { MeshEvent } from "../../../cli/dev/mesh-event.ts";
import { formatEvent } from "../../../cli/dev/report.ts";
import type { StopRequest } from "../../../cli/dev/stop-request.ts";
import type { Paint } from "../../../cli/terminal.ts";
import type { Claim, Proof } from "./claim.ts";
import { outlivesControlPlane, refusesTypo } from "./claims-control.ts";
import { cutsSlowness, hidesFlakiness, tripsBreaker } from "./claims-failure.ts";
import { refusesPlaintext, showsCaller } from "./claims-identity.ts";
import { followsEdit, splits } from "./claims-split.ts";
import { traces } from "./claims-trace.ts";
import { Shop } from "./shop.ts";

const claims: readonly Claim[] = [
  refusesPlaintext,
  showsCaller,
  splits,
  followsEdit,
  hidesFlakiness,
  cutsSlowness,
  tripsBreaker,
  traces,
  refusesTypo,
  outlivesControlPlane,
];

export interface TourOptions {
  readonly print: (line: string) => void;
  readonly paint: Paint;
  readonly stopRequest: StopRequest;
}

export interface TourResult {
  readonly ok: boolean;
  readonly seconds: number;
  readonly claims: readonly (Proof & Pick<Claim, "name" | "title"> & { readonly seconds: number })[];
}

/** Rejects if the mesh does not start, or with the signal's reason when told to stop. */
export async function runTour({ print, paint, stopRequest }: TourOptions): Promise<TourResult> {
  const { signal } = stopRequest;
  const startedAtMs = performance.now();
  const starting = { now: true };
  await using shop = await Shop.open(signal, (event) => {
    // Later events are caused by the claims.
    if (starting.now && event.kind !== "output") for (const line of formatEvent(event, paint)) print(line);
  });
  starting.now = false;
  stopRequest.onSecond(() => shop.mesh.kill());
  const proofs: TourResult["claims"][number][] = [];
  for (const { name, title, prove } of claims) {
    signal.throwIfAborted();
    const begunAtMs = performance.now();
    const eventsBefore = shop.events.length;
    const proof = await prove(shop).catch(notProven);
    proofs.push({ name, title, ...proof, seconds: secondsSince(begunAtMs) });
    print(`${proof.ok ? paint("green", "✓") : paint("red", "✗")} ${title}: ${proof.says}`);
    if (!proof.ok) for (const line of whatHappened(shop.events.slice(eventsBefore), paint)) print(line);
  }
  const ok = proofs.length > 0 && proofs.every((proof) => proof.ok);
  const seconds = secondsSince(startedAtMs);
  print(`${proofs.filter((proof) => proof.ok).length} of ${proofs.length} claims hold, ${seconds} s`);
  return { ok, seconds, claims: proofs };
}

/** What the mesh itself reported meanwhile: the first thing to look at if a claim fails. */
function whatHappened(events: readonly MeshEvent[], paint: Paint): string[] {
  const notable = events.filter(({ kind }) => kind !== "output");
  return notable.flatMap((event) => formatEvent(event, paint)).map((line) => `  meanwhile: ${line}`);
}

function notProven(error: unknown): Proof {
  const says = `not proven: ${error instanceof Error ? error.message : String(error)}`;
  return { ok: false, says, figures: {} };
}

function secondsSince(ms: number): number {
  return Math.round((performance.now() - ms) / 100) / 10;
}
