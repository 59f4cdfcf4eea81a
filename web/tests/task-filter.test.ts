import { describe, expect, it } from "vitest";
import {
  formatSort,
  isFiltered,
  NO_FILTER,
  parseFilter,
  parseOrder,
  parseStates,
} from "../src/pages/task-filter";
import { hrefWith, parseHash } from "../src/route";

const NOW = Date.parse("2026-11-24T12:00:00Z");
const filterOf = (query: string) => parseFilter(new URLSearchParams(query), NOW);

describe("parseFilter", () => {
  it("is empty without parameters", () => expect(filterOf("")).toEqual({}));

  it("reads text, states, tags and users", () => {
    expect(filterOf("text=sweep&state=failed,running,none&tag=a,%20b,&user=ada,grace")).toEqual({
      text: "sweep",
      states: ["RUNNING", "FAILED"],
      tagsAll: ["a", "b"],
      usernames: ["ada", "grace"],
    });
  });

  it("reads a period before now", () => {
    expect(filterOf("within=24h&from=2026-01-01").submitted).toEqual({
      after: "2026-11-23T12:00:00.000Z",
      before: null,
    });
  });

  it("includes both days, in the local time zone", () => {
    expect(filterOf("from=2026-11-01&to=2026-11-24").submitted).toEqual({
      after: "2026-10-31T15:00:00.000Z",
      before: "2026-11-24T15:00:00.000Z",
    });
  });

  it("ignores invalid days and periods", () => {
    expect(filterOf("from=yesterday&to=2026-99-99&within=always")).toEqual({});
  });
});

describe("parseStates", () => {
  it("has the order of the lifecycle", () => {
    expect(parseStates(new URLSearchParams("state=succeeded,PENDING"))).toEqual([
      "PENDING",
      "SUCCEEDED",
    ]);
  });
});

describe("parseOrder", () => {
  const orderOf = (sort: string) => parseOrder(new URLSearchParams({ sort }));

  it("defaults to the latest received", () => {
    const latest = { name: "received", field: "RECEIVED_AT", direction: "DESC" };
    expect(orderOf("")).toEqual(latest);
    expect(orderOf("-nonsense")).toEqual(latest);
  });

  it("reads what formatSort writes", () => {
    for (const isDescending of [true, false]) {
      expect(orderOf(formatSort("finished", isDescending))).toEqual({
        name: "finished",
        field: "FINISHED_AT",
        direction: isDescending ? "DESC" : "ASC",
      });
    }
  });
});

describe("NO_FILTER", () => {
  it("removes every filter, but not the order", () => {
    const route = parseHash("#/?text=a&user=b&tag=c&state=failed&within=1h&from=x&to=y&sort=name");
    expect(isFiltered(route.query)).toBe(true);
    expect(hrefWith(route, NO_FILTER)).toBe("#/?sort=name");
  });
});
