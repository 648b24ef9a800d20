/** Checks received messages. */

import type { FieldError } from "../model/result.ts";
import { modelWord, type Spelling } from "./enums.ts";

/** Collects what is wrong. Each check returns a value of the right type, which is discarded if there was any fault. */
export class Faults {
  readonly list: FieldError[] = [];

  add(path: string, message: string): void {
    this.list.push({ path, message });
  }

  filled(path: string, value: string | undefined): string {
    if (!value) this.add(path, "must not be empty");
    return value ?? "";
  }

  address(path: string, value: string): string {
    const port = Number(/^(?:[0-9.]+|\[[0-9a-fA-F:.]+\]):([0-9]{1,5})$/.exec(value)?.[1]);
    if (!(port >= 1 && port <= 65_535)) this.add(path, `must be IP:port, got ${JSON.stringify(value)}`);
    return value;
  }

  number(path: string, value: number, min: number, max = Number.MAX_VALUE): number {
    if (!(value >= min && value <= max)) {
      const range = max === Number.MAX_VALUE ? `at least ${min}` : `from ${min} to ${max}`;
      this.add(path, `must be ${range}, got ${value}`);
    }
    return value;
  }

  integer(path: string, value: number, min: number, max = Number.MAX_SAFE_INTEGER): number {
    if (!Number.isSafeInteger(value) || value < min || value > max)
      this.add(path, `must be an integer from ${min} to ${max}, got ${value}`);
    return value;
  }

  word<Model extends string>(path: string, spelling: Spelling<Model, string>, value: unknown): Model {
    const word = modelWord(spelling, value);
    if (word !== undefined) return word;
    this.add(path, `has a value that this version does not know: ${String(value)}`);
    return Object.keys(spelling)[0] as Model;
  }
}
