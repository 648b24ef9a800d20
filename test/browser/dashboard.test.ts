/** The dashboard over the demo's mesh, as a person meets it: by eye, by keyboard, narrow and wide, light and dark. */

import { randomBytes } from "node:crypto";
import { gzipSync } from "node:zlib";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { controlPlanePorts } from "../../cli/dev/addresses.ts";
import { Shop } from "../../deploy/demo/tour/shop.ts";
import { openChromium } from "./chromium.ts";

const undo = new AsyncDisposableStack();
let shop: Shop;
let browser: Browser;
let url: string;
let traffic: NodeJS.Timeout;
const complaints: string[] = [];

beforeAll(async () => {
  shop = undo.use(await Shop.open(new AbortController().signal, () => undefined));
  url = `http://${shop.mesh.controlPlane.address}:${controlPlanePorts.dashboard}`;
  browser = await openChromium();
  undo.defer(() => browser.close());
  traffic = setInterval(() => void shop.ask("load", { url: "http://web/" }), 100);
  undo.defer(() => clearInterval(traffic));
});

afterAll(() => undo.disposeAsync());

afterEach(async () => {
  for (const context of browser.contexts()) await context.close();
  const said = complaints.splice(0);
  if (said.length > 0) throw new Error(`the browser complains: ${said.join("; ")}`);
});

interface Look {
  readonly width?: number;
  readonly height?: number;
  readonly colorScheme?: "light" | "dark";
}

async function open({ width = 1280, height = 900, colorScheme = "light" }: Look = {}): Promise<Page> {
  const page = await browser.newPage({ viewport: { width, height }, colorScheme });
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(error.message));
  await page.goto(url);
  await page.locator("#edges tbody tr").first().waitFor();
  return page;
}

function overflowOf(page: Page): Promise<number> {
  return page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
}

/** What is written in too little contrast, with how much it has. */
function poorWordsOf(page: Page): Promise<readonly string[]> {
  return page.evaluate(() => {
    const luminance = (color: string) => {
      const [red = 0, green = 0, blue = 0] = (color.match(/[\d.]+/g) ?? []).map(Number).map((channel) => {
        const share = channel / 255;
        return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
      });
      return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    };
    const groundOf = (element: Element | null): string => {
      // Words in the drawing stand in their node, those of an edge on what the whole drawing stands on.
      const node = element?.closest("g")?.querySelector(":scope > rect");
      if (node instanceof Element) return getComputedStyle(node).fill;
      for (let at = element; at !== null; at = at.parentElement) {
        const { backgroundColor } = getComputedStyle(at);
        if (!/, 0\)$|transparent/.test(backgroundColor)) return backgroundColor;
      }
      return "rgb(255, 255, 255)";
    };
    const written =
      "h1, h2, h3, a, p, li, dt, dd, th, td, caption, label, small, strong, code, span, button, input, svg text";
    return [...document.querySelectorAll(written)].flatMap((element) => {
      const words = element instanceof HTMLInputElement ? "what is typed" : (element.textContent ?? "").trim();
      if (words === "") return [];
      const { color, fill } = getComputedStyle(element);
      const ink = element instanceof SVGElement ? fill : color;
      const [light = 0, dark = 0] = [luminance(ink), luminance(groundOf(element))].sort((a, b) => b - a);
      const contrast = (light + 0.05) / (dark + 0.05);
      return contrast < 4.5 ? [`${element.tagName} ${words}: ${contrast.toFixed(2)}`] : [];
    });
  });
}

/** Has a request recorded, and its waterfall opened. */
async function openTrace(page: Page): Promise<void> {
  const traceId = randomBytes(16).toString("hex");
  const traceparent = `00-${traceId}-${randomBytes(8).toString("hex")}-01`;
  await shop.ask("load", { url: "http://web/", headers: { traceparent } });
  await page.locator(`#traces a[href="#/trace/${traceId}"]`).click();
}

it("shows the live edges with their figures, in the drawing and in the table", async () => {
  const page = await open();
  const row = page.locator("#edges tbody tr", { hasText: "shop/payments" });
  await row.waitFor();
  const cells = await row.locator("th, td").allInnerTexts();
  expect(cells.slice(0, 3)).toEqual(["shop/orders", "shop/payments", "shop/payments"]);
  expect(cells[3]).toMatch(/^\d+(\.\d)?\/s$/);
  expect(cells[4]).toBe("100 %");
  expect(cells[6]).toMatch(/ms$/);
  expect(cells[7]).toBe("yes");
  // Sidecars report in turn, so some edges are there before others.
  await expect
    .poll(() => page.locator("svg .node text").allTextContents(), { timeout: 10_000 })
    .toEqual(expect.arrayContaining(["shop/load", "shop/web", "shop/orders", "shop/payments"]));
  expect((await page.locator("svg .edge text").allTextContents()).join()).toMatch(/\d\/s .* mTLS/);
});

it("shows wanted and observed split, policies with their sidecars, and certificates", async () => {
  const page = await open();
  await page.locator("#splits", { hasText: "observed: shop/catalog-v1" }).waitFor();
  expect(await page.locator("#splits p").first().innerText()).toBe(
    "wanted: shop/catalog-v1 90 %, shop/catalog-v2 10 %",
  );
  const split = page.locator("#policies tr", { hasText: "TrafficSplit" });
  expect(await split.innerText()).toMatch(/Accepted True\s+ResolvedRefs True\s+Programmed True 1\/1/);
  const sidecar = page.locator("#certificates tr", { hasText: "shop/payments-1" });
  expect(await sidecar.innerText()).toMatch(/spiffe:\/\/cluster\.local\/ns\/shop\/sa\/payments.*2[34] h/s);
});

it("shows a recorded trace as a waterfall, with what each span says", async () => {
  const page = await open();
  await openTrace(page);
  const rows = page.locator(".waterfall li");
  await expect
    .poll(async () => (await page.locator(".span-name").allInnerTexts()).slice(0, 4), { timeout: 20_000 })
    .toEqual([
      "shop/load client GET",
      "shop/load client GET, try 1",
      "shop/web server GET",
      expect.stringMatching(/^shop\/web client GET$/),
    ]);
  await rows.filter({ hasText: "shop/payments server" }).waitFor({ timeout: 15_000 });
  await page.setViewportSize({ width: 320, height: 700 });
  expect(await overflowOf(page)).toBeLessThanOrEqual(0);
  await rows.nth(1).getByRole("button").press("Enter");
  expect(await rows.nth(1).locator(".attributes").innerText()).toMatch(/tulle\.backend\s+shop\/web/);
  await page.getByRole("link", { name: "Edges" }).click();
  await page.locator("#edges").waitFor();
});

it("shows one service: who calls it, whom it calls, its policies and its pods", async () => {
  const page = await open();
  await page.locator("#edges a", { hasText: "shop/orders" }).first().click();
  expect(await page.locator(".subject").innerText()).toBe("shop/orders");
  const edges = page.locator("#edges tbody tr");
  await expect.poll(async () => (await edges.allInnerTexts()).join("\n")).toMatch(/^shop\/web/m);
  expect((await edges.allInnerTexts()).every((edge) => edge.includes("shop/orders"))).toBe(true);
  expect(await page.locator("#certificates tbody tr").innerText()).toContain("sa/orders");
});

it("shows of a Service that is split the pods of its backends", async () => {
  const page = await open();
  await page.locator("#edges a", { hasText: "shop/catalog" }).first().click();
  await page.locator(".subject", { hasText: "shop/catalog" }).waitFor();
  await expect
    .poll(async () => (await page.locator("#certificates tbody").innerText()).match(/catalog-v\d/g), {
      timeout: 10_000,
    })
    .toEqual(expect.arrayContaining(["catalog-v1", "catalog-v2"]));
});

it("shows which sidecars have a policy", async () => {
  const page = await open();
  await page.locator("#policies tr", { hasText: "TrafficSplit" }).getByRole("link").click();
  const holders = page.locator("section", { hasText: "Sidecars that have it" }).locator("tbody tr");
  await holders.first().waitFor();
  expect(await holders.allInnerTexts()).toEqual([expect.stringMatching(/^shop\/orders-1\S*\s+in force/)]);
});

it("follows an edit of a policy without a reload", async () => {
  const page = await open();
  const wanted = () => page.locator("#splits p").first().innerText();
  const undoEdit = shop.editPolicies(/(?<=catalog-v1, weight: )90/, "40");
  await expect.poll(wanted, { timeout: 10_000 }).toBe("wanted: shop/catalog-v1 80 %, shop/catalog-v2 20 %");
  undoEdit();
  await expect.poll(wanted, { timeout: 10_000 }).toBe("wanted: shop/catalog-v1 90 %, shop/catalog-v2 10 %");
});

it("names a policy that is wrong, with its field", async () => {
  const page = await open();
  const undoEdit = shop.editPolicies("maxAttempts: 5", "maxAttemps: 5");
  await page.locator(".problems", { hasText: "spec.maxAttemps: unknown field" }).waitFor({ timeout: 10_000 });
  expect(await page.locator("#policies tbody tr").first().innerText()).toMatch(
    /RetryPolicy\s+shop\/catalog\s+Accepted False/,
  );
  undoEdit();
  await page.locator(".problems").waitFor({ state: "detached", timeout: 10_000 });
});

it("filters the table by what is typed", async () => {
  const page = await open();
  await page.getByLabel("Filter").fill("payments");
  await expect.poll(() => page.locator("#edges tbody tr").count()).toBe(1);
  await page.getByLabel("Filter").fill("nobody");
  expect(await page.locator("#edges .empty").innerText()).toBe("None of that name.");
});

it.each([
  [320, "light"],
  [1280, "dark"],
  [3840, "light"],
] as const)("fits into %i pixels (%s), and nothing moves when figures change", async (width, colorScheme) => {
  const page = await open({ width, colorScheme });
  expect(await overflowOf(page)).toBeLessThanOrEqual(0);
  const tops = () => page.locator("section").evaluateAll((all) => all.map((one) => one.getBoundingClientRect().height));
  const before = await tops();
  await page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 4_500)));
  expect(await tops()).toEqual(before);
});

it.each(["light", "dark"] as const)("has text with a contrast of at least 4.5 to 1 (%s)", async (colorScheme) => {
  const page = await open({ colorScheme });
  await page.locator("svg .node text").first().waitFor();
  expect(await poorWordsOf(page)).toEqual([]);
  await page.locator("#edges a", { hasText: "shop/catalog" }).first().click();
  await page.locator(".subject").waitFor();
  await page.locator("#splits .bar").first().waitFor();
  expect(await poorWordsOf(page)).toEqual([]);
  await page.locator("#policies tr", { hasText: "TrafficSplit" }).getByRole("link").click();
  await page.locator("#holders-title").waitFor();
  await page.getByText("in force").first().waitFor();
  expect(await poorWordsOf(page)).toEqual([]);
  await page.getByRole("link", { name: "Traces" }).click();
  await openTrace(page);
  await page.locator(".waterfall button").first().click();
  await page.locator(".attributes").first().waitFor();
  expect(await poorWordsOf(page)).toEqual([]);
});

it("is accessible: one heading, named parts, every control with a label, a visible focus", async () => {
  const page = await open();
  expect(await page.locator("h1").count()).toBe(1);
  expect(await page.getAttribute("html", "lang")).toBe("en");
  const walked: string[] = [];
  for (let step = 0; step < 14; step++) {
    await page.keyboard.press("Tab");
    walked.push(
      await page.evaluate(() => {
        const { activeElement } = document;
        if (activeElement === null || activeElement === document.body) return "end";
        const name = activeElement.getAttribute("aria-label") ?? activeElement.textContent?.trim() ?? "";
        const label =
          activeElement instanceof HTMLInputElement ? (activeElement.labels?.[0]?.textContent?.trim() ?? "") : name;
        const { outlineStyle } = getComputedStyle(activeElement);
        return outlineStyle === "none" ? `${label} without focus ring` : label;
      }),
    );
  }
  expect(walked.slice(0, 9)).toEqual([
    "Skip to the mesh",
    "Topology",
    "Edges",
    "Splits",
    "Policies",
    "Traces",
    "Certificates",
    "Drawing of the topology",
    "Filter",
  ]);
  expect(walked.filter((label) => label === "" || label.endsWith("without focus ring"))).toEqual([]);
});

it("can be navigated by keyboard from a Service to a policy and back: each page begins with its own heading", async () => {
  const page = await open();
  const focused = () => page.evaluate(() => document.activeElement?.id || document.activeElement?.textContent?.trim());
  await page.locator("#edges a", { hasText: "shop/catalog" }).first().press("Enter");
  await page.locator(".subject", { hasText: "shop/catalog" }).waitFor();
  expect([await focused(), await page.title()]).toEqual(["main", "shop/catalog – Tulle"]);
  await page.locator("#policies a", { hasText: "shop/catalog" }).first().press("Enter");
  await page.locator("#holders-title").waitFor();
  expect(await focused()).toBe("main");
  await page.keyboard.press("Tab");
  expect(await focused()).not.toBe("main");
  await page.goBack();
  await page.locator(".subject").waitFor();
  expect(await focused()).toBe("main");
  await page.getByRole("link", { name: "Edges" }).press("Enter");
  // The topology is on both pages.
  await page.locator(".subject").waitFor({ state: "detached" });
  expect(await page.title()).toBe("Tulle");
});

it("says so when the control plane is gone, and shows the mesh again when it is back", async () => {
  const page = await open();
  const wanted = () => page.locator("#splits p").first().innerText();
  await shop.mesh.controlPlane.lose();
  await page.locator(".connection.lost").waitFor({ timeout: 10_000 });
  // What it showed before stays on the page: only a new value tells that it was read again.
  const undoEdit = shop.editPolicies(/(?<=catalog-v1, weight: )90/, "40");
  shop.mesh.controlPlane.restore();
  await page.locator(".connection.live").waitFor({ timeout: 30_000 });
  await expect.poll(wanted, { timeout: 30_000 }).toBe("wanted: shop/catalog-v1 80 %, shop/catalog-v2 20 %");
  await page.locator("#edges tbody tr", { hasText: "shop/payments" }).waitFor({ timeout: 30_000 });
  undoEdit();
  await expect.poll(wanted, { timeout: 10_000 }).toBe("wanted: shop/catalog-v1 90 %, shop/catalog-v2 10 %");
  // The browser says in its console that it could not connect, as it must.
  expect(complaints.splice(0).filter((line) => !line.includes("net::ERR_"))).toEqual([]);
});

it("is small", async () => {
  const sizes = await Promise.all(
    ["/", "/app.js", "/app.css"].map(
      async (path) => gzipSync(Buffer.from(await (await fetch(url + path)).arrayBuffer())).length,
    ),
  );
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(200_000);
});
