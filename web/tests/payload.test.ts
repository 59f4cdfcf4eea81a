import { expect, it } from "vitest";
import { payloadMessage } from "../src/payload";

it.each([
  [null, ""],
  [undefined, ""],
  ["Traceback\nValueError: x\n", "ValueError: x"],
  [42, "42"],
  [[1, 2], "[1,2]"],
  [{ lines: 7 }, '{"lines":7}'],
  [
    { stderr: "warning\nsegmentation violation\n", exitCode: 139 },
    "segmentation violation (exit code 139)",
  ],
  [{ exit_code: 3 }, "exit code 3"],
  [{ signal: "SIGKILL" }, "killed by SIGKILL"],
  [{ stoppedBy: "SIGTERM", exitCode: 143 }, "stopped by SIGTERM"],
  [{ reason: "reason", message: "message" }, "message"],
  [{ message: 5, error: "error" }, "error"],
  [{ message: "" }, '{"message":""}'],
])("summarizes %j", (payload, text) => {
  expect(payloadMessage(payload)).toBe(text);
});
