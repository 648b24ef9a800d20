import { expect, it } from "vitest";
import { foldParagraphs } from "../../cli/help-text.ts";

const help = `
It asks the cluster in your kubeconfig,
which requires a right.

A short one.

Exits with 1 if it fails.
Examples:
  $ tulle check -o json | jq '.[] | select(.findings[].verdict == "fail")'`;

it("folds paragraphs that are too wide, and leaves examples alone", () => {
  expect(foldParagraphs(help, 26)).toBe(`
It asks the cluster in
your kubeconfig, which
requires a right.

A short one.

Exits with 1 if it fails.
Examples:
  $ tulle check -o json | jq '.[] | select(.findings[].verdict == "fail")'`);
});

it("changes nothing where there is room", () => {
  expect(foldParagraphs(help, 80)).toBe(help);
});
