import { describe, expect, it } from "vitest";
import {
  causeParameters,
  describeCause,
  includesCause,
  nameOf,
  parseCause,
  withCause,
  withoutKeys,
} from "../src/failures/cause";
import type { FailureCause } from "../src/generated/operations";

const CAUSE: FailureCause = {
  by: ["EXIT", "MESSAGE"],
  exitCode: 134,
  signal: "SIGABRT",
  message: "std::bad_alloc at #",
};
const UNTOLD: FailureCause = { by: ["EXIT", "MESSAGE"] };
const HOST: FailureCause = { by: ["HOST"], hostname: "node17" };

/** The query parameters of a cause, as in an address. */
function queryOf(cause: FailureCause | null): URLSearchParams {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(causeParameters(cause))) {
    if (value !== null) query.set(name, value);
  }
  return query;
}

it.each([
  [{}, ""],
  [{ message: "std::bad_alloc", exitCode: 134, signal: null }, "std::bad_alloc (exit 134)"],
  [{ message: null, exitCode: 134, signal: "SIGABRT" }, "exit 134, SIGABRT"],
  [{ message: "", signal: "SIGKILL" }, "killed by SIGKILL"],
  [{ message: "gone", signal: "SIGKILL" }, "gone (killed by SIGKILL)"],
  [{ message: " two\nlines\n" }, "two\nlines"],
])("describes %j", (told, text) => {
  expect(describeCause(told)).toBe(text);
});

describe("the cause in an address", () => {
  it.each([
    [CAUSE],
    [HOST],
    [withCause(CAUSE, HOST)],
    [{ by: ["EXIT"], exitCode: -1, signal: null }],
    [{ by: ["MESSAGE"], message: "a,b&c=d ü #" }],
  ] as [FailureCause][])("is read as it was written: %j", (cause) => {
    const found = parseCause(queryOf(cause));
    expect(includesCause(found, cause)).toBe(true);
    expect(includesCause(cause, found ?? UNTOLD)).toBe(true);
  });

  it("has null for what was not told", () => {
    expect(parseCause(queryOf(UNTOLD))).toEqual({
      by: ["EXIT", "MESSAGE"],
      exitCode: null,
      signal: null,
      message: null,
    });
  });

  it("is null without a key, and ignores what is no number", () => {
    expect(parseCause(new URLSearchParams("exit=1"))).toBeNull();
    expect(parseCause(new URLSearchParams("why=nothing&exit=1"))).toBeNull();
    expect(parseCause(new URLSearchParams("why=exit&exit=one"))?.exitCode).toBeNull();
    expect(queryOf(null).toString()).toBe("");
  });
});

describe("parts of a cause", () => {
  const both = withCause(CAUSE, HOST);

  it("are included in it", () => {
    expect(includesCause(both, CAUSE)).toBe(true);
    expect(includesCause(both, HOST)).toBe(true);
    expect(includesCause(CAUSE, HOST)).toBe(false);
    expect(includesCause(CAUSE, { ...CAUSE, exitCode: 1 })).toBe(false);
    expect(includesCause(null, CAUSE)).toBe(false);
  });

  it("can be taken away", () => {
    expect(withoutKeys(both, ["HOST"])).toEqual(CAUSE);
    expect(withoutKeys(both, ["EXIT", "MESSAGE"])).toEqual(HOST);
    expect(withoutKeys(HOST, ["HOST"])).toBeNull();
    expect(withoutKeys(null, ["HOST"])).toBeNull();
  });
});

it.each([
  [CAUSE, "std::bad_alloc at # (exit 134, SIGABRT)"],
  [withCause(CAUSE, HOST), "std::bad_alloc at # (exit 134, SIGABRT) on node17"],
  [UNTOLD, "nothing told"],
  [{ by: ["EXIT"] }, "no exit code"],
  [{ by: ["HOST"] }, "on an unknown host"],
] as [FailureCause, string][])("names %j", (cause, name) => {
  expect(nameOf(cause)).toBe(name);
});
