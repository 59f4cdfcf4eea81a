/** An operation that a link opens in GraphiQL. */
export interface LinkedOperation {
  query: string;
  /** As JSON; empty without variables. */
  variables: string;
}

/** The address of GraphiQL with an operation, relative to the pages. It is not sent to the server. */
export function graphiqlHref({ query, variables }: LinkedOperation): string {
  const parameters = new URLSearchParams({ query });
  if (variables !== "") parameters.set("variables", variables);
  return `graphiql#${parameters}`;
}

/** The operation in the hash of an address of GraphiQL; null without one. */
export function parseOperation(hash: string): LinkedOperation | null {
  const parameters = new URLSearchParams(hash.replace(/^#/, ""));
  const query = parameters.get("query") ?? "";
  if (query.trim() === "") return null;
  return { query, variables: parameters.get("variables") ?? "" };
}
