import { lazy, Suspense, useMemo } from "react";
import { useCalmRows } from "../calm-rows";
import { useBodyHold } from "../components/held-body";
import { HoldButtons } from "../components/hold-buttons";
import { Icon } from "../components/icon";
import { Loading } from "../components/notice";
import { formatCount } from "../format";
import { parseDependencies } from "../process-graph/dependencies";
import type { Route } from "../route";
import { updateQuery } from "../router";
import {
  nameMatcher,
  needsAttention,
  orderProcesses,
  PROCESS_ORDERS,
  parseProcessOrder,
} from "./process-order";
import { type Process, ProcessRow } from "./process-row";
import { ProcessTile } from "./process-tile";
import { PROCESS_VIEWS, type ProcessView } from "./process-views";

/** Longer lists can be searched, sorted and filtered. */
const MAX_PLAIN = 10;
/** Longer lists are compact, unless the address says otherwise. */
const MAX_ROWS = 24;

function idOf({ id }: Process): string {
  return id;
}

const ProcessGraph = lazy(() => import("../process-graph/process-graph"));

function Views({
  views,
  shown,
  route,
}: {
  views: ProcessView[];
  shown: ProcessView;
  route: Route;
}) {
  return (
    <fieldset className="toggles">
      <legend className="off-screen">Processes as</legend>
      {views.map((view) => (
        <button
          key={view}
          type="button"
          className="toggle"
          aria-pressed={view === shown}
          onClick={() => updateQuery(route, { view }, true)}
        >
          {PROCESS_VIEWS[view]}
        </button>
      ))}
    </fieldset>
  );
}

function OrderSelect({ route }: { route: Route }) {
  return (
    <label className="field">
      <span>Sort by</span>
      <select
        value={parseProcessOrder(route.query.get("sort"))}
        onChange={({ target }) => updateQuery(route, { sort: target.value }, true)}
      >
        {Object.entries(PROCESS_ORDERS).map(([name, label]) => (
          <option key={name} value={name}>
            {label}
          </option>
        ))}
      </select>
    </label>
  );
}

interface ProcessListProps {
  task: string;
  processes: readonly Process[];
  /** What the task says of their dependencies, in any form. */
  dependencies: unknown;
  route: Route;
}

/**
 * The processes of a task: as rows, compact, or as a graph where the task tells of what they wait
 * for. Long lists can be searched, sorted and filtered. All of that is in the address.
 */
export function ProcessList({ task, processes, dependencies, route }: ProcessListProps) {
  const { query } = route;
  const isLong = processes.length > MAX_PLAIN;
  const text = isLong ? (query.get("find") ?? "") : "";
  const order = parseProcessOrder(query.get("sort"));
  const failing = processes.filter(needsAttention);
  const isOnlyFailing = isLong && query.get("only") === "attention";
  const graph = useMemo(
    () => parseDependencies(dependencies, new Set(processes.map(({ name }) => name))),
    [dependencies, processes],
  );
  const views: ProcessView[] = ["rows", "compact"];
  if (graph !== null) views.push("graph");
  const view =
    views.find((view) => view === query.get("view")) ??
    (processes.length > MAX_ROWS ? "compact" : "rows");
  const ordered = isLong ? orderProcesses(isOnlyFailing ? failing : processes, order) : processes;
  const hold = useBodyHold();
  const held = useCalmRows(ordered, idOf, hold.isHeld, `${order} ${isOnlyFailing}`);
  const isFound = nameMatcher(text);
  const found = held.rows.filter(({ name }) => isFound(name));
  return (
    <section
      className={processes.length > MAX_ROWS ? "is-wide" : undefined}
      aria-labelledby="processes"
    >
      <div className="card-head">
        <h2 id="processes">
          {formatCount(processes.length, "process", "processes")}
          {text !== "" && (
            <span className="quiet">, {formatCount(found.length, "match", "matches")}</span>
          )}
        </h2>
        <div className="process-tools">
          <HoldButtons hold={hold} held={held} what="processes" />
          {isLong && (
            <>
              {(failing.length > 0 || isOnlyFailing) && (
                <button
                  type="button"
                  className="toggle"
                  aria-pressed={isOnlyFailing}
                  onClick={() =>
                    updateQuery(route, { only: isOnlyFailing ? null : "attention" }, true)
                  }
                >
                  <Icon name="AT_RISK" />
                  {formatCount(failing.length, "needs", "need")} attention
                </button>
              )}
              <label className="field">
                <span>Find</span>
                <input
                  type="search"
                  value={text}
                  placeholder="name of a process"
                  autoComplete="off"
                  spellCheck={false}
                  onChange={({ target }) => updateQuery(route, { find: target.value }, true)}
                />
              </label>
              {view !== "graph" && <OrderSelect route={route} />}
            </>
          )}
          {(isLong || graph !== null) && <Views views={views} shown={view} route={route} />}
        </div>
      </div>
      {view === "rows" && (
        <ul className="processes">
          {found.map((process) => (
            <ProcessRow key={process.id} task={task} process={process} />
          ))}
        </ul>
      )}
      {view === "compact" && (
        <ul className="process-tiles">
          {found.map((process) => (
            <li key={process.id}>
              <ProcessTile task={task} process={process} />
            </li>
          ))}
        </ul>
      )}
      {view === "graph" && graph !== null && (
        <Suspense fallback={<Loading rows={5} />}>
          <ProcessGraph
            task={task}
            processes={processes}
            dependencies={graph}
            found={new Set(found.map(({ name }) => name))}
            text={text}
          />
        </Suspense>
      )}
    </section>
  );
}
