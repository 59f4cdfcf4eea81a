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

  it("reads text, states, outlooks, tags, users, hosts and messages", () => {
    const lists = "state=failed,running,none&outlook=at_risk&tag=a,%20b,&user=ada,grace&host=n1,n2";
    expect(filterOf(`text=sweep&${lists}&message=bad,%20alloc`)).toEqual({
      text: "sweep",
      states: ["RUNNING", "FAILED"],
      outlooks: ["AT_RISK"],
      tagsAll: ["a", "b"],
      usernames: ["ada", "grace"],
      hostnames: ["n1", "n2"],
      message: "bad, alloc",
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

  it("defaults to what needs attention, which has one direction", () => {
    const attention = { name: "attention", field: "ATTENTION", direction: "DESC" };
    for (const sort of ["", "-nonsense", "attention", "-attention"]) {
      expect(orderOf(sort)).toEqual(attention);
    }
    expect(formatSort("attention", true)).toBe("attention");
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
    const fields = "text=a&user=b&tag=c&host=h&message=m&state=failed&outlook=at_risk";
    const route = parseHash(`#/?${fields}&within=1h&from=x&to=y&sort=name`);
    expect(isFiltered(route.query)).toBe(true);
    expect(hrefWith(route, NO_FILTER)).toBe("#/?sort=name");
  });
});
