/**
 * Asks the application what kubelet would have asked it: one connection per probe, to the pod's IP, as kubelet does. It keeps no
 * verdict and no connection.
 */

import net from "node:net";
import tls from "node:tls";
import { joinAddress } from "../../model/address.ts";
import type { ApplicationProbe, ProbeAction } from "../../model/application-probe.ts";
import { assertNever } from "../../model/result.ts";
import { GrpcCall } from "../grpc/call.ts";
import { Http1Client } from "../http1/client.ts";
import { Exchange, type ResponseSink } from "../net/exchange.ts";
import { HeaderFields } from "../net/header-fields.ts";
import type { TimerWheel } from "../net/timer-wheel.ts";

export interface ProbeVerdict {
  /** The status for kubelet: 2xx and 3xx pass. */
  readonly status: number;
  /** One line, shown in the pod's events. */
  readonly says: string;
}

const passed = 200;
const failed = 503;
const healthCheck = "/grpc.health.v1.Health/Check";
const maxHealthBytes = 4 * 1024;

/** A lifecycle hook without a timeout may take as long as kubelet keeps its own connection open. Never rejects. */
export async function askApplication(
  { action, timeoutMs }: ApplicationProbe,
  podIp: string,
  wheel: TimerWheel,
  stop: AbortSignal,
): Promise<ProbeVerdict> {
  const signal = timeoutMs === undefined ? stop : AbortSignal.any([stop, AbortSignal.timeout(timeoutMs)]);
  const address = joinAddress(podIp, action.port);
  try {
    return await ask(action, podIp, wheel, signal);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const late = signal.aborted && !stop.aborted;
    return { status: failed, says: `${address}: ${late ? `no answer within ${timeoutMs} ms` : reason}` };
  }
}

function ask(action: ProbeAction, podIp: string, wheel: TimerWheel, signal: AbortSignal): Promise<ProbeVerdict> {
  switch (action.kind) {
    case "http":
      return askHttp(action, podIp, signal);
    case "tcp":
      return askTcp(action.port, podIp, signal);
    case "grpc":
      return askGrpc(action, podIp, wheel, signal);
    default:
      return assertNever(action);
  }
}

function askHttp(
  { port, path, tls: overTls, headers }: Extract<ProbeAction, { kind: "http" }>,
  host: string,
  signal: AbortSignal,
): Promise<ProbeVerdict> {
  // Kubelet accepts any certificate too: a probe contains no secrets.
  const socket = overTls ? tls.connect({ host, port, rejectUnauthorized: false }) : net.connect({ host, port });
  const fields = new HeaderFields();
  for (const [name, value] of headers) fields.append(name.toLowerCase(), value);
  if (!fields.has("user-agent")) fields.append("user-agent", "kube-probe");
  const authority = fields.get("host") ?? joinAddress(host, port);
  fields.remove("host");
  const scheme = overTls ? "https" : "http";
  const exchange = new Exchange({ method: "GET", authority, path, scheme, headers: fields, bodyless: true });
  return new Promise<ProbeVerdict>((resolve, reject) => {
    signal.addEventListener("abort", () => reject(new Error("the probe was given up")), { once: true });
    const response: ResponseSink = {
      informational: () => {},
      head: ({ status }) => resolve({ status, says: `${joinAddress(host, port)} answers ${status}` }),
      writeResponse: () => true,
      endResponse: () => {},
      abortResponse: reject,
      resumeRequest: () => {},
    };
    new Http1Client(socket, { peer: joinAddress(host, port) }).request(exchange, response).endRequest();
  }).finally(() => socket.destroy());
}

function askTcp(port: number, host: string, signal: AbortSignal): Promise<ProbeVerdict> {
  const socket = net.connect({ host, port });
  return new Promise<ProbeVerdict>((resolve, reject) => {
    signal.addEventListener("abort", () => reject(new Error("the probe was given up")), { once: true });
    socket.on("connect", () => resolve({ status: passed, says: `${joinAddress(host, port)} takes connections` }));
    socket.on("error", reject);
  }).finally(() => socket.destroy());
}

/** Uses gRPC's health checking: https://github.com/grpc/grpc/blob/master/doc/health-checking.md */
function askGrpc(
  { port, service }: Extract<ProbeAction, { kind: "grpc" }>,
  host: string,
  wheel: TimerWheel,
  signal: AbortSignal,
): Promise<ProbeVerdict> {
  const address = joinAddress(host, port);
  return new Promise<ProbeVerdict>((resolve, reject) => {
    signal.throwIfAborted();
    let serves = false;
    const call = new GrpcCall(
      { address, serverName: address, path: healthCheck, clock: wheel, wheel, maxMessageBytes: maxHealthBytes },
      {
        message: (message) => {
          serves = isServing(message);
        },
        closed: (error) => {
          if (error !== undefined) reject(error);
          else if (serves) resolve({ status: passed, says: `${address} serves` });
          else resolve({ status: failed, says: `${address} does not serve ${service}` });
        },
      },
    );
    const giveUp = (): void => {
      call.cancel();
      reject(new Error("the probe was given up"));
    };
    signal.addEventListener("abort", giveUp, { once: true });
    call.send(encodeRequest(service));
    call.end();
  });
}

/** HealthCheckRequest: `string service = 1`. */
function encodeRequest(service: string): Buffer {
  const name = Buffer.from(service);
  if (name.length === 0) return name;
  const length = name.length < 0x80 ? [name.length] : [(name.length & 0x7f) | 0x80, name.length >> 7];
  return Buffer.concat([Buffer.from([0x0a, ...length]), name]);
}

/** HealthCheckResponse: `ServingStatus status = 1`, and SERVING is 1. */
function isServing(message: Buffer): boolean {
  return message.equals(Buffer.from([0x08, 0x01]));
}
