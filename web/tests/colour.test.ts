import { readFileSync } from "node:fs";
import {
  type Color,
  converter,
  differenceCiede2000,
  filterDeficiencyDeuter,
  filterDeficiencyProt,
  filterDeficiencyTrit,
  parse,
  wcagContrast,
} from "culori";
import { describe, expect, it } from "vitest";

const WELL = ["pending", "submitted", "running", "done"];
const TROUBLE = ["late", "lost", "held", "terminated", "failed"];
/** The least difference of any two states, by CIEDE2000. */
const MIN_DIFFERENCE = 8;
/** The least contrasts of a state of trouble: to done, to others that are well, to a card. */
const MIN_CONTRASTS = { done: 2.4, well: 1.7, card: 3 };

type Filter = (colour: Color) => Color;

const toLinear = converter("lrgb");
const toRgb = converter("rgb");

/** Machado's matrices are for linear RGB; those of culori are applied to any numbers. */
function seenBy(filter: Filter): Filter {
  return (colour) => {
    const seen = toRgb(filter({ ...toLinear(colour), mode: "rgb" }));
    const [r = 0, g = 0, b = 0] = [seen.r, seen.g, seen.b].map((v) => Math.min(1, Math.max(0, v)));
    return { mode: "lrgb", r, g, b };
  };
}

const SIGHTS: Record<string, Filter> = {
  "full colour vision": (colour) => colour,
  deuteranopia: seenBy(filterDeficiencyDeuter(1)),
  protanopia: seenBy(filterDeficiencyProt(1)),
  tritanopia: seenBy(filterDeficiencyTrit(1)),
};

const SHEETS = ["colour", "base"]
  .map((name) => readFileSync(`${import.meta.dirname}/../src/styles/${name}.css`, "utf8"))
  .join("");

/** A colour of the style sheets in a theme. */
function colourOf(name: string, theme: "light" | "dark"): Color {
  const found = SHEETS.match(new RegExp(`--${name}: light-dark\\((#\\w+), (#\\w+)\\)`));
  const colour = parse(found?.[theme === "light" ? 1 : 2] ?? "");
  if (colour === undefined) throw new Error(`${name} has no colour`);
  return colour;
}

/** The pairs of states of which the value is too small, with it. */
function tooSmall(
  pairs: readonly [string, string][],
  least: number,
  value: (one: string, other: string) => number,
): string[] {
  return pairs
    .filter(([one, other]) => value(one, other) < least)
    .map(([one, other]) => `${one}, ${other}: ${value(one, other).toFixed(2)}`);
}

const themes = ["light", "dark"] as const;

describe.each(themes)("the colours of states in the %s theme", (theme) => {
  const states = [...WELL, ...TROUBLE];
  const all = states.flatMap((one, place) =>
    states.slice(place + 1).map((other): [string, string] => [one, other]),
  );
  const troubleTo = (others: readonly string[]) =>
    TROUBLE.flatMap((one) => others.map((other): [string, string] => [one, other]));

  it.each(Object.entries(SIGHTS))("differ with %s, and trouble stands out", (_, see) => {
    const seen = (name: string) => see(colourOf(name, theme));
    const difference = differenceCiede2000();
    const contrast = (one: string, other: string) => wcagContrast(seen(one), seen(other));
    expect(
      tooSmall(all, MIN_DIFFERENCE, (one, other) => difference(seen(one), seen(other))),
    ).toEqual([]);
    expect(tooSmall(troubleTo(["done"]), MIN_CONTRASTS.done, contrast)).toEqual([]);
    expect(tooSmall(troubleTo(WELL), MIN_CONTRASTS.well, contrast)).toEqual([]);
    expect(tooSmall(troubleTo(["card"]), MIN_CONTRASTS.card, contrast)).toEqual([]);
  });
});
