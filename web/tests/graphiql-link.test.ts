import { expect, it } from "vitest";
import { graphiqlHref, parseOperation } from "../src/graphiql-link";

it.each([
  { query: "{ server { version } }", variables: "" },
  {
    query: "query A($t: String!) {\n  task(name: $t) { name } }",
    variables: '{"t": "50% & #1 +ü"}',
  },
])("a link brings back %j", (operation) => {
  const href = graphiqlHref(operation);
  expect(href).toMatch(/^graphiql#query=/);
  expect(parseOperation(href.slice("graphiql".length))).toEqual(operation);
});

it.each(["", "#", "#query=", "#variables=%7B%7D", "#query=%20"])("%j has no operation", (hash) => {
  expect(parseOperation(hash)).toBeNull();
});
