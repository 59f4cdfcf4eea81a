import { type TabsState, useGraphiQL, useGraphiQLActions } from "@graphiql/react";
import { parse } from "graphql";
import type { Example } from "./examples";

type Tab = TabsState["tabs"][number];

function tabOf({ query, variables, headers }: Example): Tab {
  const [definition] = parse(query).definitions;
  const name = definition?.kind === "OperationDefinition" ? definition.name?.value : undefined;
  return {
    id: crypto.getRandomValues(new Uint32Array(4)).join("-"),
    // GraphiQL computes it when it reads the stored tabs.
    hash: "",
    title: name ?? "Example",
    operationName: name ?? null,
    query,
    variables,
    headers,
    response: null,
  };
}

/** Adds the examples that no tab has unchanged, and goes to the first of them. */
export function ExamplesButton({ examples }: { examples: readonly Example[] }) {
  const tabs = useGraphiQL(({ tabs }) => tabs);
  const { moveTab, changeTab } = useGraphiQLActions();
  const restore = () => {
    const missing = examples.filter(({ query }) => tabs.every((tab) => tab.query !== query));
    if (missing.length > 0) moveTab([...tabs, ...missing.map(tabOf)]);
    const first = missing.length > 0 ? tabs.length : indexOfExample(tabs, examples);
    changeTab(first);
  };
  return (
    <button type="button" className="restore" onClick={restore}>
      Examples
    </button>
  );
}

function indexOfExample(tabs: readonly Tab[], examples: readonly Example[]): number {
  return tabs.findIndex((tab) => tab.query === examples[0]?.query);
}
