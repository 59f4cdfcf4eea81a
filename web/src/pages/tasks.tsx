import { useMemo } from "react";
import { useCalmRows } from "../calm-rows";
import { NewRows, PauseButton } from "../components/hold-buttons";
import { ErrorNotice, Loading, Notice } from "../components/notice";
import { StalePage } from "../components/stale-page";
import { taskReader } from "../export/read-tasks";
import { TasksDocument, type TasksQuery } from "../generated/operations";
import { useHold } from "../held-rows";
import { isKiosk } from "../kiosk";
import { useLiveQuery } from "../live-query";
import { hrefOf, type Route, withoutCursors } from "../route";
import { navigate, updateQuery } from "../router";
import { useStore } from "../store";
import { AddressFaults } from "./address-faults";
import { LIST_PARAMETERS } from "./address-parameters";
import { FailingTasks } from "./failing-tasks";
import { KioskHead } from "./kiosk-head";
import { density } from "./list-settings";
import { ListToolbar } from "./list-toolbar";
import { isFiltered, NO_FILTER, parseFilter, parseOrder } from "./task-filter";
import { TaskFilterForm } from "./task-filter-form";
import type { ListedTask } from "./task-row";
import { TaskTable } from "./task-table";
import { totalsOf } from "./task-totals";
import { TaskTotalsLine } from "./task-totals-line";

const PAGE_SIZE = 100;
const NO_TASKS: readonly ListedTask[] = [];

type PageInfo = NonNullable<TasksQuery["tasks"]>["pageInfo"];

const idOf = ({ id }: ListedTask) => id;

interface PagerProps {
  route: Route;
  info: PageInfo;
  /** Whether another page is on its way, to which these cursors do not belong. */
  isBusy: boolean;
}

function Pager({ route, info, isBusy }: PagerProps) {
  const turn = (name: string, cursor: string | null) => {
    if (isBusy) return;
    const query = withoutCursors(route.query);
    if (cursor) query.set(name, cursor);
    navigate(hrefOf([], query));
    window.scrollTo(0, 0);
  };
  if (!info.hasNextPage && !info.hasPreviousPage) return null;
  return (
    <nav className="pager" aria-label="Pages of tasks">
      <button
        type="button"
        className="button"
        disabled={!info.hasPreviousPage}
        onClick={() => turn("before", info.startCursor)}
      >
        ← Previous
      </button>
      {(route.query.has("after") || route.query.has("before")) && (
        <button type="button" className="bare" onClick={() => turn("after", null)}>
          First page
        </button>
      )}
      <button
        type="button"
        className="button"
        disabled={!info.hasNextPage}
        onClick={() => turn("after", info.endCursor)}
      >
        Next →
      </button>
    </nav>
  );
}

function EmptyList({ route }: { route: Route }) {
  if (isFiltered(route.query)) {
    return (
      <Notice title="No matching tasks">
        <button type="button" className="button" onClick={() => updateQuery(route, NO_FILTER)}>
          Show all tasks
        </button>
      </Notice>
    );
  }
  return (
    <Notice title="No tasks yet">
      <p>Submitted tasks appear here. To try it with sample data:</p>
      <pre className="command">lamia-gql demo --url {new URL(".", document.baseURI).href}</pre>
    </Notice>
  );
}

/** The list of tasks. Filter, order, groups and page are in the URL. */
export function TasksPage({ route }: { route: Route }) {
  // A relative period starts when it is selected, so that the query stays the same afterwards.
  const variables = useMemo(() => {
    const { field, direction } = parseOrder(route.query);
    const before = route.query.get("before");
    const after = route.query.get("after");
    const page = before ? { last: PAGE_SIZE, before } : { first: PAGE_SIZE, after };
    return { ...page, filter: parseFilter(route.query, Date.now()), orderBy: { field, direction } };
  }, [route]);
  const { data, isPrevious, error, refresh } = useLiveQuery(TasksDocument, variables, null, {
    keepsPrevious: true,
  });
  // What an empty list says holds for its own filter only.
  const list = isPrevious && data?.tasks?.nodes.length === 0 ? undefined : data?.tasks;
  const isLater = route.query.has("after") || route.query.has("before");
  const isStale = error?.code === "CURSOR_INVALID" || (isLater && list?.nodes.length === 0);
  const hold = useHold();
  const isWall = isKiosk(route);
  const held = useCalmRows(
    list?.nodes ?? NO_TASKS,
    idOf,
    // Where nobody touches the pointer, it may rest on the list.
    !isWall && hold.isHeld,
    JSON.stringify([variables, isPrevious]),
  );
  const rowHeight = useStore(density);
  const totals = useMemo(() => totalsOf(held.rows), [held.rows]);
  const totalsLine = list && <TaskTotalsLine totals={totals} matching={list.totalCount} />;
  return (
    <div className={isWall ? "list is-kiosk" : `list is-${rowHeight}`}>
      <FailingTasks filter={variables.filter} />
      {isWall ? (
        <KioskHead route={route}>{totalsLine}</KioskHead>
      ) : (
        <>
          <div className="title-row">
            <h1>Tasks</h1>
            {totalsLine}
            <div className="list-tools">
              <PauseButton hold={hold} />
              <ListToolbar
                route={route}
                readPage={taskReader(variables.filter, variables.orderBy)}
              />
            </div>
          </div>
          <TaskFilterForm route={route} />
        </>
      )}
      <AddressFaults route={route} parameters={LIST_PARAMETERS} />
      {isStale && <StalePage showFirst={() => updateQuery(route, {})} />}
      {error && !list && !isStale && <ErrorNotice error={error} retry={refresh} />}
      {!error && !list && <Loading rows={8} />}
      {list && held.rows.length === 0 && !isStale && <EmptyList route={route} />}
      {list && held.rows.length > 0 && (
        <>
          <div {...hold.area} aria-busy={isPrevious}>
            <div className="new-rows">
              <NewRows held={held} what="tasks" />
            </div>
            <TaskTable route={route} tasks={held.rows} />
          </div>
          <Pager route={route} info={list.pageInfo} isBusy={isPrevious} />
        </>
      )}
    </div>
  );
}
