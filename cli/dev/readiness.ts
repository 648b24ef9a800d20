/** Checks whether an application or a sidecar is ready, as a kubelet does: one attempt, one answer, no state. */

import { get } from "node:http";
import { connect } from "node:net";
import type { Readiness } from "./deployments.ts";

/** True if the check passes within `timeoutMs`: a TCP connection, or an HTTP status from 200 to 399. */
export function passes(check: Readiness["check"], host: string, timeoutMs: number): Promise<boolean> {
  switch (check.kind) {
    case "tcp":
      return accepts(host, check.port, timeoutMs);
    case "http":
      return answers(host, check.port, check.path, timeoutMs);
  }
}

function accepts(host: string, port: number, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, signal: AbortSignal.timeout(timeoutMs) });
    const settle = (accepted: boolean) => {
      socket.destroy();
      resolve(accepted);
    };
    socket.once("connect", () => settle(true));
    socket.once("error", () => settle(false));
  });
}

function answers(host: string, port: number, path: string, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    // `agent: false` gives a separate connection, and also bypasses any proxy in the environment.
    const request = get({ host, port, path, agent: false, signal: AbortSignal.timeout(timeoutMs) }, (response) => {
      response.resume();
      resolve(response.statusCode !== undefined && response.statusCode >= 200 && response.statusCode < 400);
    });
    request.once("error", () => resolve(false));
  });
}
