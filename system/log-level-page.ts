/** Shows and changes the log level of a process while it runs. A restart brings the configured level back. */

import { isLogLevel, type Log, type LogThreshold, logLevels } from "./log.ts";
import { forDebugging } from "./loopback-page.ts";
import { type PageMaker, plainPage } from "./page.ts";

export const logLevelPath = "/debug/log-level";

/** Shows the level, as one word. */
export function showLogLevel(threshold: LogThreshold): PageMaker {
  return forDebugging(() => plainPage(200, threshold.level));
}

/** Accepts `?level=debug`, and then answers like `showLogLevel`. */
export function changeLogLevel(threshold: LogThreshold, log: Log): PageMaker {
  return forDebugging((query) => {
    const level = query.get("level") ?? "";
    if (!isLogLevel(level)) return plainPage(400, `level must be ${logLevels.join(" or ")}, got ${level}`);
    const before = threshold.level;
    // Use the more verbose of the two levels for this entry, so that the log itself shows where its level changed.
    threshold.level = logLevels[Math.min(logLevels.indexOf(before), logLevels.indexOf(level))] ?? level;
    log("info", "log level changed", { from: before, to: level });
    threshold.level = level;
    return plainPage(200, level);
  });
}
