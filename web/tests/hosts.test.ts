import { expect, it } from "vitest";
import { commonDomain, shortHost } from "../src/hosts";

it.each([
  [["node1.a.example.org", "node2.a.example.org"], ".a.example.org"],
  [["node1.a.example.org", "node2.b.example.org"], ".example.org"],
  [["node1.example.org", null, "10.0.0.1", "::1"], ".example.org"],
  [["example.org", "node1.example.org"], ".org"],
  [["node1", "node2.example.org"], ""],
  [["node1.example.org", "node1.sample.net"], ""],
  [["10.0.0.1", "10.0.1.1"], ""],
  [[], ""],
])("the common domain of %j", (hosts, domain) => {
  expect(commonDomain(hosts)).toBe(domain);
  const names = hosts.filter((host) => host !== null);
  const short = names.map((host) => shortHost(host, domain));
  expect(new Set(short).size).toBe(names.length);
  expect(short).not.toContain("");
});
