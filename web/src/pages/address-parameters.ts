import { parseSpan } from "../components/span-text";
import { CAUSE_KEYS, isExitCode } from "../failures/cause";
import type { FailureKey } from "../generated/operations";
import { LEGEND_STATES } from "../map/cells";
import { isMapPlace } from "../map/map-place";
import { STATES } from "../states";
import {
  anything,
  type Check,
  type Checks,
  day,
  formOf,
  oneOf,
  orderOf,
  wordsOf,
} from "./address-check";
import { PROCESS_ORDERS } from "./process-order";
import { PROCESS_VIEWS } from "./process-views";
import { ORDERS, OUTLOOKS, PERIODS } from "./task-filter";
import { GROUPINGS } from "./task-groups";

/** What the URL of the list of tasks may have. */
export const LIST_PARAMETERS: Checks = {
  text: anything,
  user: anything,
  tag: anything,
  host: anything,
  message: anything,
  state: wordsOf(STATES),
  outlook: wordsOf(OUTLOOKS),
  within: oneOf(Object.keys(PERIODS)),
  from: day,
  to: day,
  sort: orderOf(Object.keys(ORDERS)),
  group: oneOf(Object.keys(GROUPINGS)),
  after: anything,
  before: anything,
  kiosk: anything,
};

/** A value that counts only for a cause by `key`. */
function valueBy(key: FailureKey, check: Check = anything): Check {
  const word = key.toLowerCase();
  return (name, query) =>
    (query.get("why") ?? "")
      .toLowerCase()
      .split(",")
      .some((each) => each.trim() === word)
      ? check(name, query)
      : `“${name}” has no effect without “why=${word}”.`;
}

const CAUSE: Checks = {
  why: wordsOf(CAUSE_KEYS, "part of a cause"),
  exit: valueBy("EXIT", formOf(isExitCode, "an exit code", "134")),
  signal: valueBy("EXIT"),
  message: valueBy("MESSAGE"),
  host: valueBy("HOST"),
};

/** The part of the time that a chart shows. */
const TIME: Checks = {
  time: formOf(
    (value) => parseSpan(value) !== null,
    "a part of the time",
    "20261124T140205Z-20261124T150000Z",
  ),
};

/** What the URL of a task may have. */
export const TASK_PARAMETERS: Checks = {
  ...CAUSE,
  ...TIME,
  view: oneOf(Object.keys(PROCESS_VIEWS)),
  find: anything,
  only: oneOf(["attention"], "filter"),
  sort: oneOf(Object.keys(PROCESS_ORDERS)),
};

/** What the URL of an array may have. */
export const ARRAY_PARAMETERS: Checks = {
  ...CAUSE,
  ...TIME,
  pick: oneOf(LEGEND_STATES, "state"),
  map: formOf(isMapPlace, "a place of the map", "2.56,2557"),
  "unsuccessful-after": anything,
  "unsuccessful-before": anything,
  "held-after": anything,
  "held-before": anything,
};

/** What the URL of a job may have. */
export const JOB_PARAMETERS: Checks = { ...CAUSE, ...TIME };
