/** A real Chromium of the machine's (Debian's package `chromium`), without a window. */

import { existsSync } from "node:fs";
import { type Browser, chromium } from "playwright-core";

const paths = [
  process.env["CHROMIUM"] ?? "",
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
];

/** What else looks for hosts outside this machine. */
const quiet = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export async function openChromium(): Promise<Browser> {
  const executablePath = paths.find((path) => path !== "" && existsSync(path));
  if (executablePath === undefined) throw new Error("there is no Chromium: apt-get install chromium, or set $CHROMIUM");
  return await chromium.launch({ executablePath, args: quiet });
}
