import type { PartOfTime } from "../components/time-zoom";
import type { Route } from "../route";
import { updateQuery } from "../router";

/** The part of the time that the chart of a page shows, as the address has it. */
export function partOfTime(route: Route): PartOfTime {
  return {
    text: route.query.get("time"),
    keep: (time) => updateQuery(route, { time }, true),
  };
}
