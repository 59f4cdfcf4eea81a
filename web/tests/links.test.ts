import { expect, it } from "vitest";
import { isPlace, splitLinks } from "../src/links";

it.each([
  ["see https://wiki.example.org/a(b).", ["link https://wiki.example.org/a(b)"]],
  ["(https://wiki.example.org/a), then", ["link https://wiki.example.org/a"]],
  ['{"log":"http://logs.example.org/1?full=1"}', ["link http://logs.example.org/1?full=1"]],
  ["to root://eos.example.org//store/a.root:", ["place root://eos.example.org//store/a.root"]],
  ["error on /scratch/run7/point-1.root", ["place /scratch/run7/point-1.root"]],
  ['File "/opt/fit/main.py", line 7', ["place /opt/fit/main.py"]],
  ["file:///etc/motd", ["place file:///etc/motd"]],
  ["http://[", ["place http://["]],
  ["javascript:alert(1)", []],
  ["data:text/html,<script>alert(1)</script>", []],
  ["3/4 of a/b/c, 2026/11/28, or /tmp", []],
])("finds addresses and paths in %s", (text, found) => {
  const pieces = splitLinks(text);
  expect(pieces.filter(({ kind }) => kind !== "text").map((p) => `${p.kind} ${p.text}`)).toEqual(
    found,
  );
  expect(pieces.map((piece) => piece.text).join("")).toBe(text);
});

it("takes a long text in a moment", () => {
  const text = `${"/a".repeat(50_000)} ${"a.".repeat(50_000)} https://a${")".repeat(100_000)}`;
  const begin = performance.now();
  expect(
    splitLinks(text)
      .map((piece) => piece.text)
      .join(""),
  ).toBe(text);
  expect(performance.now() - begin).toBeLessThan(1000);
});

it("is a place only as a whole", () => {
  expect(isPlace("root://eos.example.org//store/a.root")).toBe(true);
  expect(isPlace("https://logs.example.org/1")).toBe(true);
  expect(isPlace("see https://logs.example.org/1")).toBe(false);
  expect(isPlace("")).toBe(false);
});
