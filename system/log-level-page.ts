/** What a process writes into its log, shown and changed while it runs: until it ends, then what it was started with holds again. */

import { isLogLevel, type Log, type LogThreshold, logLevels } from "./log.ts";
import { forDebugging } from "./loopback-page.ts";
import { type PageMaker, plainPage } from "./page.ts";

export const logLevelPath = "/debug/log-level";

/** The level, as one word. */
export function showLogLevel(threshold: LogThreshold): PageMaker {
  return forDebugging(() => plainPage(200, threshold.level));
}

/** Takes `?level=debug`, and answers as `showLogLevel` from then on. */
export function changeLogLevel(threshold: LogThreshold, log: Log): PageMaker {
  return forDebugging((query) => {
    const level = query.get("level") ?? "";
    if (!isLogLevel(level)) return plainPage(400, `level must be ${logLevels.join(" or ")}, got ${level}`);
    const before = threshold.level;
    // By the more talkative of both, so that the log itself shows from where to where it is complete.
    threshold.level = logLevels[Math.min(logLevels.indexOf(before), logLevels.indexOf(level))] ?? level;
    log("info", "log level changed", { from: before, to: level });
    threshold.level = level;
    return plainPage(200, level);
  });
}
