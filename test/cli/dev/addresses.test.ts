import { randomUUID } from "node:crypto";
import { createServer } from "node:net";
import { describe, expect, it } from "vitest";
import { controlPlanePorts, requireFree, reserveBlock } from "../../../cli/dev/addresses.ts";

// Each folder is another one at each run: tests that run at the same time on this machine take blocks as well.
describe("reserveBlock", () => {
  it("gives a folder the same block again", async () => {
    const folder = randomUUID();
    const first = await reserveBlock(folder);
    await first.release();
    const second = await reserveBlock(folder);
    await second.release();
    expect(second.prefix).toBe(first.prefix);
  });

  it("gives another block while the first is taken", async () => {
    const folder = randomUUID();
    const first = await reserveBlock(folder);
    const second = await reserveBlock(folder);
    await Promise.all([first.release(), second.release()]);
    expect(second.prefix).not.toBe(first.prefix);
  });

  it("skips a block whose control-plane port is in use", async () => {
    const folder = randomUUID();
    const first = await reserveBlock(folder);
    const squatter = createServer();
    await new Promise<void>((resolve) => squatter.listen(controlPlanePorts.identity, first.controlPlane, resolve));
    await first.release();
    const second = await reserveBlock(folder);
    await second.release();
    squatter.close();
    expect(second.prefix).not.toBe(first.prefix);
  });
});

describe("AddressBlock", () => {
  it("hands out every address once, never the control plane's, and a returned one last", async () => {
    const block = await reserveBlock("addresses");
    const first = block.take();
    block.giveBack(first);
    const rest = Array.from({ length: 252 }, () => block.take());
    expect(rest).not.toContain(first);
    expect(rest).not.toContain(block.controlPlane);
    expect(block.take()).toBe(first);
    expect(block.full).toBe(true);
    expect(() => block.take()).toThrow("253 pod addresses, and all are in use");
    await block.release();
  });
});

it("names the port that another program holds, even on all addresses", async () => {
  const squatter = createServer();
  await new Promise<void>((resolve) => squatter.listen(0, "0.0.0.0", resolve));
  const address = squatter.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  await expect(requireFree("127.99.0.2", [port])).rejects.toThrow(`127.99.0.2:${port} is in use by another program`);
  squatter.close();
});
