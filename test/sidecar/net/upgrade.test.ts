import { expect, it } from "vitest";
import { upgradeProtocol } from "../../../sidecar/net/upgrade.ts";

it.each([
  ["websocket", "websocket"],
  ["WebSocket", "websocket"],
  ["tls/1.0", "tls/1.0"],
])("%s asks for %s", (text, protocol) => {
  expect(upgradeProtocol(text)).toBe(protocol);
});

it.each(["", "h2c", "H2C", "h2c/1", "/1", "a/", "a/b/c", "a b", "a\r\nb", "websocket, h2c"])(
  "%j asks for no upgrade",
  (text) => {
    expect(upgradeProtocol(text)).toBeUndefined();
  },
);
