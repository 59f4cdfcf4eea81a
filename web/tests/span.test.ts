import { describe, expect, it } from "vitest";
import { moveSpan, narrow, zoomSpan } from "../src/components/span";

const WHOLE = { from: 100_000, to: 200_000 };

describe("zoomSpan", () => {
  it("keeps the time around which it zooms where it is", () => {
    expect(zoomSpan(WHOLE, WHOLE, 0.5, 150_000)).toEqual({ from: 125_000, to: 175_000 });
    expect(zoomSpan(WHOLE, WHOLE, 0.5, 200_000)).toEqual({ from: 150_000, to: 200_000 });
  });

  it("stays within the whole, and is null for all of it", () => {
    const late = { from: 180_000, to: 200_000 };
    expect(zoomSpan(late, WHOLE, 2, 180_000)).toEqual({ from: 160_000, to: 200_000 });
    expect(zoomSpan(late, WHOLE, 8, 180_000)).toBeNull();
  });

  it("shows two seconds at least", () => {
    const short = zoomSpan({ from: 150_000, to: 152_500 }, WHOLE, 0.1, 150_000);
    expect(short).toEqual({ from: 150_000, to: 152_000 });
  });
});

describe("narrow", () => {
  it("is the span, or null for the whole", () => {
    expect(narrow({ from: 120_000, to: 130_000 }, WHOLE)).toEqual({ from: 120_000, to: 130_000 });
    expect(narrow(WHOLE, WHOLE)).toBeNull();
    expect(narrow({ from: 0, to: 500_000 }, WHOLE)).toBeNull();
  });
});

describe("moveSpan", () => {
  it("moves by a part of the length, up to the ends of the whole", () => {
    const shown = { from: 120_000, to: 140_000 };
    expect(moveSpan(shown, WHOLE, 0.5)).toEqual({ from: 130_000, to: 150_000 });
    expect(moveSpan(shown, WHOLE, -2)).toEqual({ from: 100_000, to: 120_000 });
    expect(moveSpan(shown, WHOLE, 9)).toEqual({ from: 180_000, to: 200_000 });
  });
});
