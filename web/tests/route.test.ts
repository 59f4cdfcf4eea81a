import { describe, expect, it } from "vitest";
import { hrefOf, hrefWith, parseHash } from "../src/route";

describe("parseHash", () => {
  it.each(["", "#", "#/"])("takes %j as the list of tasks", (hash) => {
    expect(parseHash(hash).path).toEqual([]);
    expect([...parseHash(hash).query]).toEqual([]);
  });

  it("reads names and query parameters", () => {
    const { path, query } = parseHash("#/tasks/night/sweep?pick=failed&x=1?2");
    expect(path).toEqual(["tasks", "night", "sweep"]);
    expect(query.get("pick")).toBe("failed");
    expect(query.get("x")).toBe("1?2");
  });

  it("keeps invalid percent escapes", () => {
    expect(parseHash("#/tasks/50%").path).toEqual(["tasks", "50%"]);
  });
});

describe("hrefOf", () => {
  it.each(["plain", "50% of ? & ü #1", "a/b", "a b%20?", "..", "+"])(
    "keeps the name %j",
    (name) => {
      expect(parseHash(hrefOf(["tasks", name])).path).toEqual(["tasks", name]);
    },
  );

  it("appends a query only if there is one", () => {
    expect(hrefOf([])).toBe("#/");
    expect(hrefOf([], new URLSearchParams())).toBe("#/");
    expect(hrefOf(["tasks"], new URLSearchParams({ text: "a b" }))).toBe("#/tasks?text=a+b");
  });
});

describe("hrefWith", () => {
  const route = parseHash("#/?text=sweep&after=cursor&before=other");

  it("sets, replaces and removes parameters, and removes cursors", () => {
    expect(hrefWith(route, { state: "running" })).toBe("#/?text=sweep&state=running");
    expect(hrefWith(route, { text: "scan" })).toBe("#/?text=scan");
    expect(hrefWith(route, { text: null })).toBe("#/");
    expect(hrefWith(route, { text: "" })).toBe("#/");
  });

  it("leaves the route as it is", () => {
    hrefWith(route, { text: null });
    expect(route.query.get("after")).toBe("cursor");
  });
});
