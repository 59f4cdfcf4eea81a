import { ToolbarButton, useGraphiQL } from "@graphiql/react";
import { useState } from "react";
import { writeClipboard } from "../clipboard";
import { graphiqlHref } from "../graphiql-link";

const LABEL = "Copy a link to this operation and its variables";

/** Copies the address that opens the operation of the tab, with its variables and without headers. */
export function LinkButton() {
  const query = useGraphiQL(({ queryEditor }) => queryEditor);
  const variables = useGraphiQL(({ variableEditor }) => variableEditor);
  const [label, setLabel] = useState(LABEL);
  const copy = async () => {
    const href = graphiqlHref({
      query: query?.getValue() ?? "",
      variables: variables?.getValue().trim() ?? "",
    });
    try {
      await writeClipboard(Promise.resolve(new URL(href, document.baseURI).href));
      setLabel("Link copied");
    } catch {
      setLabel("Copying failed");
    }
  };
  return (
    <ToolbarButton label={label} onClick={() => void copy()} onBlur={() => setLabel(LABEL)}>
      <svg className="graphiql-toolbar-icon" viewBox="0 0 16 16" aria-hidden="true">
        <path
          d="M6.5 9.5l3-3M7 4.5l1.8-1.8a3 3 0 0 1 4.3 4.3L11.5 8.8M9 11.5l-1.8 1.8a3 3 0 0 1-4.3-4.3L4.5 7.2"
          fill="none"
          stroke="currentColor"
          strokeLinecap="round"
        />
      </svg>
    </ToolbarButton>
  );
}
