import { describe, expect, it } from "vitest";
import { duration, integer, limit, regex, text } from "../../../model/parse/scalars.ts";
import { list, object, oneOf, refused, show } from "../../../model/parse/schema.ts";

const size = object({
  width: integer({ min: 1, max: 10 }).describe("How wide."),
  height: integer({ min: 1, max: 10 }).describe("How high.").or(2),
  color: oneOf({ Red: "red", Blue: "blue" }).optional(),
  depth: refused("a size is flat"),
}).check({
  cel: "self.width >= self.height",
  says: "no higher than wide",
  field: "height",
  find: ({ width, height }) => (width >= height ? undefined : `must be at most width (${width}), got ${height}`),
});

describe("an object", () => {
  it("is read with its defaults", () => {
    expect(size.parse({ width: 3, color: "Red" })).toEqual({
      ok: true,
      value: { width: 3, height: 2, color: "red", depth: undefined },
    });
  });

  it("treats null as absent", () => {
    expect(size.parse({ width: 3, height: null })).toMatchObject({ ok: true, value: { height: 2 } });
  });

  it("reports all errors at once, each with its path", () => {
    expect(
      list(size, { max: 5 }).parse([{ width: 0, colour: "Red" }, 7, { height: "x", depth: 1 }], "spec.sizes"),
    ).toEqual({
      ok: false,
      error: [
        { path: "spec.sizes[0].colour", message: "unknown field, did you mean color?" },
        { path: "spec.sizes[0].width", message: "must be at least 1, got 0" },
        { path: "spec.sizes[1]", message: "must be an object, got 7" },
        { path: "spec.sizes[2].width", message: "is required" },
        { path: "spec.sizes[2].height", message: 'must be a whole number, got "x"' },
        { path: "spec.sizes[2].depth", message: "a size is flat" },
      ],
    });
  });

  it("is checked across its fields once each is valid", () => {
    expect(size.parse({ width: 3, height: 4 })).toEqual({
      ok: false,
      error: [{ path: "height", message: "must be at most width (3), got 4" }],
    });
    expect(size.parse({ width: 3, height: 40 })).toMatchObject({ error: [{ message: "must be at most 10, got 40" }] });
  });

  it("is mapped only once it is valid", () => {
    const area = size.map(({ width, height }, at) => (width > 5 ? at.fail("too large") : width * height));
    expect(area.parse({ width: 3 })).toEqual({ ok: true, value: 6 });
    expect(area.parse({ width: 6 })).toEqual({ ok: false, error: [{ path: "", message: "too large" }] });
    let made = 0;
    expect(size.map(() => ++made).parse({ width: 0 }).ok).toBe(false);
    expect(made).toBe(0);
  });

  it("must be made optional last", () => {
    expect(() => size.optional().map((value) => value)).toThrow("before `or` and `optional`");
  });

  it("reads no field from a prototype, and lets nobody reach one", () => {
    const sly = JSON.parse('{"__proto__": {"width": 3}, "constructor": 1, "width": 3}') as unknown;
    expect(size.parse(sly)).toEqual({
      ok: false,
      error: [
        { path: "__proto__", message: "unknown field, known are width, height, color" },
        { path: "constructor", message: "unknown field, known are width, height, color" },
      ],
    });
    expect(size.parse(Object.create({ width: 3 }))).toMatchObject({ ok: false });
  });

  it("has a structural schema", () => {
    expect(size.openApi).toEqual({
      type: "object",
      required: ["width"],
      properties: {
        width: { type: "integer", minimum: 1, maximum: 10, description: "How wide." },
        height: { type: "integer", minimum: 1, maximum: 10, description: "How high. Default: 2." },
        color: { type: "string", enum: ["Red", "Blue"] },
      },
      "x-kubernetes-validations": [
        { rule: "self.width >= self.height", fieldPath: ".height", message: "no higher than wide" },
      ],
    });
  });
});

describe("a list", () => {
  const names = list(text({ maxLength: 5 }), { min: 1, max: 3, unique: (name) => name });

  it.each([
    [[], "must have at least 1 item, got 0"],
    [["a", "b", "c", "d"], "must have at most 3 items, got 4"],
    ["a", 'must be a list, got "a"'],
    [{}, "must be a list, got an object"],
  ])("refuses %j", (value, message) => {
    expect(names.parse(value, "names")).toEqual({ ok: false, error: [{ path: "names", message }] });
  });

  it("names both places of a duplicate", () => {
    expect(names.parse(["a", "b", "a"], "names")).toEqual({
      ok: false,
      error: [{ path: "names[2]", message: "a is given twice, see names[0]" }],
    });
  });
});

describe("a choice", () => {
  it.each([
    ["red", 'must be one of Red, Blue, got "red", did you mean Red?'],
    ["Gren", 'must be one of Red, Blue, got "Gren"'],
    [1, "must be one of Red, Blue, got 1"],
  ])("refuses %j and lists what is allowed", (value, message) => {
    expect(size.parse({ width: 3, color: value })).toEqual({ ok: false, error: [{ path: "color", message }] });
  });
});

describe("a duration", () => {
  const second = duration({ min: 1000, max: 60_000 });

  it.each([
    ["10 parsecs", 'must be a duration such as 1h30m, 10s or 500ms, got "10 parsecs"'],
    [10, "must be a duration such as 1h30m, 10s or 500ms, got 10"],
    ["10ms", "must be at least 1s, got 10ms"],
    ["2m", "must be at most 1m, got 2m"],
  ])("refuses %j", (value, message) => {
    expect(second.parse(value, "d")).toEqual({ ok: false, error: [{ path: "d", message }] });
  });

  it("is a number of milliseconds", () => {
    expect(second.parse("1s500ms")).toEqual({ ok: true, value: 1500 });
  });

  it("turns a limit off with 0s, however it is written", () => {
    expect(limit({ min: 10, max: 1000 }).parse("0s")).toEqual({ ok: true, value: undefined });
    expect(limit({ min: 10, max: 1000 }).parse("0h0m")).toEqual({ ok: true, value: undefined });
    expect(limit({ min: 10, max: 1000 }).parse("5ms")).toMatchObject({ ok: false });
  });
});

it("refuses a pattern that is not a regular expression", () => {
  expect(regex().parse("(", "p")).toMatchObject({ ok: false, error: [{ path: "p" }] });
});

it("quotes values short and on one line", () => {
  expect(show("a\nb")).toBe('"a\\nb"');
  expect(show("x".repeat(1000))).toHaveLength(78);
  expect(show({ a: 1 })).toBe("an object");
  expect(show([1])).toBe("a list");
  expect(show(null)).toBe("null");
  expect(show(Number.NaN)).toBe("NaN");
  expect(show(undefined)).toBe("undefined");
});
