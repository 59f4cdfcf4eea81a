import { listOf, parseDay } from "./task-filter";

/** What is wrong with a parameter of a page's URL, which is ignored. */
export interface AddressFault {
  /** Name of the parameter. */
  name: string;
  /** What is wrong, as a sentence. */
  text: string;
}

/** Tells what is wrong with a parameter that has a value, as a sentence; null for nothing. */
export type Check = (name: string, query: URLSearchParams) => string | null;

/** The parameters that a page knows. */
export type Checks = Readonly<Record<string, Check>>;

function textOf(name: string, query: URLSearchParams): string {
  return query.get(name) ?? "";
}

/** Any value is right. */
export const anything: Check = () => null;

/**
 * Each word of a list, separated by commas, is one of these, in upper or lower case. `noun` is what
 * they are, if not what the name says.
 */
export function wordsOf(known: readonly string[], noun?: string): Check {
  return (name, query) => {
    const unknown = listOf(query, name).find((word) => !known.includes(word.toUpperCase()));
    return unknown === undefined ? null : refuse(noun ?? name, unknown, known);
  };
}

/** The value is one of these, or in lower case one of these; see {@link wordsOf}. */
export function oneOf(known: readonly string[], noun?: string): Check {
  return (name, query) => {
    const value = textOf(name, query);
    const isKnown = known.includes(value) || known.includes(value.toUpperCase());
    return isKnown ? null : refuse(noun ?? name, value, known);
  };
}

/** Like {@link oneOf}, with `-` in front or without. */
export function orderOf(known: readonly string[]): Check {
  return (name, query) => {
    const value = textOf(name, query).replace(/^-/, "");
    return known.includes(value) ? null : refuse(name, value, known);
  };
}

/** The value has a form, of which `example` is one. */
export function formOf(isRight: (value: string) => boolean, noun: string, example: string): Check {
  return (name, query) => {
    const value = textOf(name, query);
    return isRight(value) ? null : `“${value}” is not ${noun} like ${example}.`;
  };
}

/** A day like `2026-11-24`. */
export const day = formOf((value) => parseDay(value) !== null, "a day", "2026-11-24");

function refuse(noun: string, value: string, known: readonly string[]): string {
  return `There is no ${noun} “${value}”. Use one of: ${known.join(", ").toLowerCase()}.`;
}

/** The parameters of a URL that a page does not know, or whose values are wrong. */
export function findAddressFaults(query: URLSearchParams, checks: Checks): AddressFault[] {
  return [...new Set(query.keys())].flatMap((name) => {
    const check = Object.hasOwn(checks, name) ? checks[name] : undefined;
    if (check === undefined) return [{ name, text: `There is no parameter “${name}”.` }];
    const text = textOf(name, query) === "" ? null : check(name, query);
    return text === null ? [] : [{ name, text }];
  });
}
