import { describe, expect, it } from "vitest";
import { formatSpan, parseSpan } from "../src/components/span-text";

const TEXT = "20261124T140205Z-20261124T150000Z";
const SPAN = { from: Date.UTC(2026, 10, 24, 14, 2, 5), to: Date.UTC(2026, 10, 24, 15) };

describe("formatSpan", () => {
  it("is what parseSpan reads, to the second", () => {
    expect(formatSpan({ from: SPAN.from + 400, to: SPAN.to - 400 })).toBe(TEXT);
    expect(parseSpan(TEXT)).toEqual(SPAN);
  });
});

describe("parseSpan", () => {
  it("is null for anything else", () => {
    const [from, to] = TEXT.split("-");
    const wrong = ["", "-", "2026-2027", `${from}`, `${to}-${from}`, `${from}-${from}`];
    const dates = [`${TEXT}-${to}`, `20261324T140205Z-${to}`, "2026-11-24T14:02:05Z-2027"];
    for (const text of [...wrong, ...dates]) expect(parseSpan(text), text).toBeNull();
  });
});
