import "./workers";
import { explorerPlugin } from "@graphiql/plugin-explorer";
import { ToolbarButton } from "@graphiql/react";
import { GraphiQL, HISTORY_PLUGIN } from "graphiql";
import { parse, print } from "graphql";
import { createRoot } from "react-dom/client";
import { execute } from "../api";
import { SignIn } from "../components/sign-in";
import { ViewerDocument } from "../generated/operations";
import { parseOperation } from "../graphiql-link";
import { signedOut } from "../session";
import { useStore } from "../store";
import { useEditorSize } from "./editor-size";
import { type Example, examples } from "./examples";
import { ExamplesButton } from "./examples-button";
import { fetcher, transport } from "./fetcher";
import { LinkButton } from "./link-button";
import "@graphiql/react/style.css";
import "@graphiql/plugin-doc-explorer/style.css";
import "@graphiql/plugin-history/style.css";
import "@graphiql/plugin-explorer/style.css";
import "graphiql/graphiql.css";
import "../styles/sign-in.css";
import "./graphiql.css";

const VIEWER_TIMEOUT_MS = 3000;
const PLUGINS = [HISTORY_PLUGIN, explorerPlugin({ showAttribution: false })];

function TransportButton() {
  const chosen = useStore(transport);
  const other = chosen === "SSE" ? "WebSocket" : "SSE";
  const short = chosen === "SSE" ? "SSE" : "WS";
  return (
    <ToolbarButton
      label={`${short}: subscriptions use ${chosen}; change to ${other}`}
      onClick={() => transport.set(other)}
    >
      <span className="transport">{short}</span>
    </ToolbarButton>
  );
}

// GraphiQL restores the tabs of the last visit. The examples are for the first one.
const isFirstVisit = localStorage.getItem("graphiql:tabState") === null;
const isNarrow = matchMedia("(max-width: 760px)").matches;

/** The tab that the address asks for. It is not run: that is for the user to decide. */
function readLinkedTab(): Example | null {
  const linked = parseOperation(location.hash);
  return linked && { ...linked, query: spread(linked.query), headers: null };
}

/** An operation that is on one line, on several. */
function spread(query: string): string {
  if (query.includes("\n")) return query;
  try {
    return print(parse(query));
  } catch {
    // The editor shows what is wrong with it.
    return query;
  }
}

/** Who the user is; null for somebody who must sign in first. */
async function readViewer(): Promise<{ name: string | null } | null> {
  try {
    return (await execute(ViewerDocument, {}, AbortSignal.timeout(VIEWER_TIMEOUT_MS))).viewer;
  } catch {
    // Without an answer, the page works as soon as the server does.
    return signedOut.get() ? null : { name: null };
  }
}

interface PageProps {
  examples: Example[];
  /** The tab to begin with, besides those of the last visit. */
  linked: Example | null;
  viewer: string | null;
}

function Page({ examples, linked, viewer }: PageProps) {
  useEditorSize();
  const first = linked ?? (isFirstVisit ? examples[0] : undefined);
  return (
    <GraphiQL
      fetcher={fetcher}
      plugins={PLUGINS}
      defaultTabs={linked ? [linked, ...examples] : examples}
      {...(first ? { initialQuery: first.query, initialVariables: first.variables } : {})}
      defaultEditorToolsVisibility={isNarrow ? false : "variables"}
    >
      <GraphiQL.Logo>
        <ExamplesButton examples={examples} />
        <a href="./">← Dashboard</a>
        {viewer !== null && <span className="viewer">{viewer}</span>}
      </GraphiQL.Logo>
      <GraphiQL.Toolbar>
        {({ merge, prettify, copy }) => (
          <>
            {prettify}
            {merge}
            {copy}
            <LinkButton />
            <TransportButton />
          </>
        )}
      </GraphiQL.Toolbar>
    </GraphiQL>
  );
}

const root = document.getElementById("root");
if (root === null) throw new Error("The page has no #root element.");
const viewer = await readViewer();
const linked = viewer === null ? null : readLinkedTab();
// Another reload brings back the tab as it is then. A link that is pasted here opens a tab, too.
if (linked) history.replaceState(null, "", location.pathname);
addEventListener("hashchange", () => location.reload());
createRoot(root).render(
  viewer === null ? (
    <main className="signed-out">
      <SignIn />
    </main>
  ) : (
    <Page examples={await examples()} linked={linked} viewer={viewer.name} />
  ),
);
