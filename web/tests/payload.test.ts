import { expect, it } from "vitest";
import { payloadMessage, splitPayload } from "../src/payload";

it.each([
  [null, ""],
  [undefined, ""],
  ["Traceback\nValueError: x\n", "ValueError: x"],
  [42, "42"],
  [[1, 2], "[1,2]"],
  [{ lines: 7 }, '{"lines":7}'],
  [
    { stderr: "warning\nsegmentation violation\n", exitCode: 139 },
    "segmentation violation (exit 139)",
  ],
  [{ stderr: ["warning", "out of memory"], exitCode: 1 }, "out of memory (exit 1)"],
  [{ exit_code: 3 }, "exit 3"],
  [{ signal: "SIGKILL" }, "killed by SIGKILL"],
  [{ stoppedBy: "SIGTERM", exitCode: 143 }, "stopped by SIGTERM"],
  [{ reason: "reason", message: "message" }, "message"],
  [{ message: 5, error: "error" }, "error"],
  [{ message: "" }, '{"message":""}'],
])("summarizes %j", (payload, text) => {
  expect(payloadMessage(payload)).toBe(text);
});

it.each([
  [null, [], null],
  ["one line\n", [], "one line\n"],
  ["two\nlines\n", [["", "two\nlines"]], undefined],
  [[1, 2], [], [1, 2]],
  [{ lines: 7 }, [], { lines: 7 }],
  [{ stderr: ["a", "b"] }, [["stderr", "a\nb"]], undefined],
  [{ error: { type: "X", tb: "a\nb" } }, [["error.tb", "a\nb"]], { error: { type: "X" } }],
  [{ error: { tb: "a\nb" }, none: {} }, [["error.tb", "a\nb"]], { none: {} }],
  [{ log: "a\n b", code: 1, at: "x" }, [["log", "a\n b"]], { code: 1, at: "x" }],
])("splits %j", (payload, texts, rest) => {
  expect(splitPayload(payload)).toEqual({ texts, places: [], rest });
});

it("takes addresses and paths out of a payload", () => {
  const places = { log: "https://logs.example.org/1", output: "root://eos.example.org//store/a" };
  expect(splitPayload({ n: 1, ...places, note: "see /a/b" })).toEqual({
    texts: [],
    places: Object.entries(places),
    rest: { n: 1, note: "see /a/b" },
  });
  expect(splitPayload("/scratch/a.root").places).toEqual([["", "/scratch/a.root"]]);
});
