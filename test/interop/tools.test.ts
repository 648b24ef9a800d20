import { expect, it } from "vitest";
import { whatGoLacks } from "../support/tools.ts";

it("says what to install where there is no Go, or an old one", () => {
  const install = "Install Go 1.24 or later from https://go.dev/dl and put its bin first on the PATH.";
  expect(whatGoLacks({ status: null, stdout: null })).toBe(`there is no Go. ${install}`);
  expect(whatGoLacks({ status: 0, stdout: "go1.19.8\n" })).toBe(
    `go1.19.8 is too old, as distributions' packages often are. ${install}`,
  );
  expect(whatGoLacks({ status: 0, stdout: "go1.24.0\n" })).toMatch(/^go1\.24\.0 is here and new enough/);
});
