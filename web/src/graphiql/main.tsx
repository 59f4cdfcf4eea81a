import "./workers";
import { explorerPlugin } from "@graphiql/plugin-explorer";
import { ToolbarButton } from "@graphiql/react";
import { GraphiQL, HISTORY_PLUGIN } from "graphiql";
import { createRoot } from "react-dom/client";
import { execute } from "../api";
import { SignIn } from "../components/sign-in";
import { ViewerDocument } from "../generated/operations";
import { signedOut } from "../session";
import { useStore } from "../store";
import { type Example, examples } from "./examples";
import { fetcher, transport } from "./fetcher";
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

/** Who the user is; null for somebody who must sign in first. */
async function readViewer(): Promise<{ name: string | null } | null> {
  try {
    return (await execute(ViewerDocument, {}, AbortSignal.timeout(VIEWER_TIMEOUT_MS))).viewer;
  } catch {
    // Without an answer, the page works as soon as the server does.
    return signedOut.get() ? null : { name: null };
  }
}

function Page({ tabs, viewer }: { tabs: Example[]; viewer: string | null }) {
  return (
    <GraphiQL
      fetcher={fetcher}
      plugins={PLUGINS}
      defaultTabs={tabs}
      {...(isFirstVisit && tabs[0] ? { initialVariables: tabs[0].variables } : {})}
      defaultEditorToolsVisibility="variables"
    >
      <GraphiQL.Logo>
        <a href="./">lamia</a>
        {viewer !== null && <span className="viewer">{viewer}</span>}
      </GraphiQL.Logo>
      <GraphiQL.Toolbar>
        {({ merge, prettify, copy }) => (
          <>
            {prettify}
            {merge}
            {copy}
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
createRoot(root).render(
  viewer === null ? (
    <main className="signed-out">
      <SignIn />
    </main>
  ) : (
    <Page tabs={await examples()} viewer={viewer.name} />
  ),
);
