import { expect, it } from "vitest";
import { ClosedStreams } from "../../../sidecar/http2/closed-streams.ts";

it("remembers how a stream closed", () => {
  const closed = new ClosedStreams();
  closed.note(1, "ended");
  closed.note(3, "reset-here");
  closed.note(5, "reset-there");
  expect([1, 3, 5, 7].map((id) => closed.find(id))).toEqual(["ended", "reset-here", "reset-there", undefined]);
});

it("does not forget our resets because other streams end", () => {
  const closed = new ClosedStreams();
  closed.note(1, "reset-here");
  for (let id = 3; id < 10_000; id += 2) closed.note(id, "ended");
  expect([closed.find(1), closed.find(3), closed.find(9999)]).toEqual(["reset-here", undefined, "ended"]);
});
