import { describe, expect, it } from "vitest";
import { parseUpstreams } from "../../model/upstream.ts";

describe("upstreams", () => {
  it("are a list, with spaces and IPv6 allowed", () => {
    expect(parseUpstreams(" payments.shop:80=127.0.0.1:9001 , db:5432=[::1]:5432, ")).toEqual({
      ok: true,
      value: [
        { host: "payments.shop", port: 80, listenHost: "127.0.0.1", listenPort: 9001 },
        { host: "db", port: 5432, listenHost: "::1", listenPort: 5432 },
      ],
    });
  });

  it.each([
    "payments:80",
    "payments=127.0.0.1:9001",
    "payments:80=127.0.0.1",
    "payments:80=0.0.0.0:9001",
    "payments:80=10.0.0.7:9001",
    "payments:80=127.0.0.999:9001",
    "payments:80=localhost:9001",
    "payments:80=127.0.0.1:9001=x",
    ":80=127.0.0.1:9001",
    "payments:0=127.0.0.1:9001",
    "payments:80=127.0.0.1:99999",
  ])("that would be open to others, or are invalid, are refused: %s", (text) => {
    const parsed = parseUpstreams(`orders:80=127.0.0.1:9000,${text}`);
    const message = `must be DESTINATION:PORT=LOOPBACK_ADDRESS:PORT, separated by commas: ${text} is not`;
    expect(parsed).toEqual({ ok: false, error: message });
  });

  it("that share a listener are refused: the second could never listen", () => {
    expect(parseUpstreams("a:80=127.0.0.1:9000,b:80=127.0.0.1:9001").ok).toBe(true);
    expect(parseUpstreams("a:80=127.0.0.1:9000,b:80=127.0.0.1:9000")).toEqual({
      ok: false,
      error: "must have a listener of its own for each destination: b:80=127.0.0.1:9000 has another's",
    });
  });
});
