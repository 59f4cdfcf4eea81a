import { STATES } from "../states";
import { listOf, NO_FILTER, ORDERS, OUTLOOKS, PERIODS, parseDay } from "./task-filter";
import { GROUPINGS } from "./task-groups";

const OTHERS = ["sort", "group", "after", "before", "kiosk"];

/** What is wrong with a parameter of the list's URL, which is ignored. */
export interface AddressFault {
  /** Name of the parameter. */
  name: string;
  /** What is wrong, as a sentence. */
  text: string;
}

/** The parameters of the list's URL that are unknown or have a value that is not. */
export function findAddressFaults(query: URLSearchParams): AddressFault[] {
  const faults: AddressFault[] = [];
  const refuse = (name: string, value: string, known: readonly string[]) =>
    faults.push({
      name,
      text: `There is no ${name} “${value}”. Use one of: ${known.join(", ").toLowerCase()}.`,
    });
  const check = (name: string, values: readonly string[], known: readonly string[]) => {
    const unknown = values.find(
      (value) => !known.includes(value) && !known.includes(value.toUpperCase()),
    );
    if (unknown !== undefined) refuse(name, unknown, known);
  };
  const given = (name: string) => [query.get(name) ?? ""].filter((value) => value !== "");

  for (const name of new Set(query.keys())) {
    if (!Object.hasOwn(NO_FILTER, name) && !OTHERS.includes(name)) {
      faults.push({ name, text: `There is no parameter “${name}”.` });
    }
  }
  check("state", listOf(query, "state"), STATES);
  check("outlook", listOf(query, "outlook"), OUTLOOKS);
  check("within", given("within"), Object.keys(PERIODS));
  check(
    "sort",
    given("sort").map((value) => value.replace(/^-/, "")),
    Object.keys(ORDERS),
  );
  check("group", given("group"), Object.keys(GROUPINGS));
  for (const name of ["from", "to"]) {
    const [value] = given(name);
    if (value !== undefined && parseDay(value) === null) {
      faults.push({ name, text: `“${value}” is not a day like 2026-11-24.` });
    }
  }
  return faults;
}
