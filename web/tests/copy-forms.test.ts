import { describe, expect, it } from "vitest";
import { formatIndices, formatProcesses } from "../src/failures/copy-forms";

const FILL = { name: "fill", indices: "813,900-902" };

describe("formatIndices", () => {
  it.each([
    ["ranges", "813,900-902"],
    ["slurm", "--array=813,900-902"],
    ["condor", "queue index in (813, 900, 901, 902)"],
    ["lsf", "fill[813,900-902]"],
    ["grid-engine", "-t 813\n-t 900-902"],
    ["list", "813\n900\n901\n902"],
  ] as const)("writes %s", (form, text) => {
    expect(formatIndices(FILL, form)).toBe(text);
    expect(formatIndices({ name: "fill", indices: "" }, form)).toBe("");
  });

  it.each(["slurm", "lsf"] as const)("splits what is too long for one submission: %s", (form) => {
    const indices = Array.from({ length: 3000 }, (_, place) => 10 + 2 * place).join(",");
    const lines = formatIndices({ name: "fill", indices }, form).split("\n");
    expect(lines.length).toBe(4);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(4096);
    const parts = lines.map((line) => line.replace(/^--array=|^fill\[|\]$/g, ""));
    expect(parts.join(",")).toBe(indices);
  });
});

it("names the processes of a task", () => {
  const merge = { name: "merge", indices: null };
  expect(formatProcesses([FILL, merge], "slurm")).toBe(
    "# fill\n--array=813,900-902\n# merge, whose only job has no index",
  );
  expect(formatProcesses([], "slurm")).toBe("");
});
