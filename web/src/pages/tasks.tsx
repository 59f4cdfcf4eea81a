import { useMemo } from "react";
import { Badge, OutlookBadge, Tags } from "../components/badge";
import { JobsBar, JobsSummary, ProgressBar } from "../components/bar";
import { ErrorNotice, Loading, Notice } from "../components/notice";
import { StalePage } from "../components/stale-page";
import { Time } from "../components/time";
import { ExportButtons } from "../export/export-buttons";
import { taskReader } from "../export/read-tasks";
import { formatNumber } from "../format";
import { TasksDocument, type TasksQuery } from "../generated/operations";
import { useLiveQuery } from "../live-query";
import { hrefOf, type Route, withoutCursors } from "../route";
import { Link, navigate, updateQuery } from "../router";
import {
  formatSort,
  isDescendingByDefault,
  isFiltered,
  NO_FILTER,
  parseFilter,
  parseOrder,
} from "./task-filter";
import { TaskFilterForm } from "./task-filter-form";

const PAGE_SIZE = 25;
const ARIA_SORT = { ASC: "ascending", DESC: "descending" } as const;
const ARROWS = { none: "", ascending: "↑", descending: "↓" };

type TaskList = NonNullable<TasksQuery["tasks"]>;
type TaskRow = TaskList["nodes"][number];
type PageInfo = TaskList["pageInfo"];

function Row({ task }: { task: TaskRow }) {
  return (
    <tr>
      <td className="cell-name">
        <Link path={["tasks", task.name]} className="name">
          {task.name}
        </Link>
        <span className="under">
          {task.username && (
            <a className="user" href={`#/?${new URLSearchParams({ user: task.username })}`}>
              {task.username}
            </a>
          )}
          <Tags tags={task.tags} />
        </span>
      </td>
      <td className="cell-state">
        <Badge name={task.state} />
        <OutlookBadge
          outlook={task.outlook}
          counts={task.counts}
          ended={task.finishedAt !== null}
        />
      </td>
      <td className="cell-progress">
        <ProgressBar ratio={task.progress.ratio} label={`Progress of ${task.name}`} />
      </td>
      <td className="cell-jobs">
        <JobsBar counts={task.counts} />
        <JobsSummary counts={task.counts} />
      </td>
      <td className="cell-age">
        <Time at={task.submittedAt} as="relative" />
      </td>
      <td className="cell-finish">
        <Finish task={task} />
      </td>
    </tr>
  );
}

function Finish({ task }: { task: TaskRow }) {
  if (task.finishedAt) {
    return (
      <span className="finished">
        <Time at={task.finishedAt} as="relative" />
      </span>
    );
  }
  if (task.estimatedFinishAt === null) return <span className="quiet">–</span>;
  return (
    <span className="estimate">
      <Time at={task.estimatedFinishAt} as="relative" />
    </span>
  );
}

/** A column header that sorts the list; a second click reverses the order. */
function SortableHeader({ route, name, label }: { route: Route; name: string; label: string }) {
  const order = parseOrder(route.query);
  const sorted = order.name !== name ? "none" : ARIA_SORT[order.direction];
  const descending = sorted === "none" ? isDescendingByDefault(name) : sorted === "ascending";
  return (
    <th scope="col" aria-sort={sorted}>
      <button
        type="button"
        onClick={() => updateQuery(route, { sort: formatSort(name, descending) })}
      >
        {label} <span aria-hidden="true">{ARROWS[sorted]}</span>
      </button>
    </th>
  );
}

function Pager({ route, info }: { route: Route; info: PageInfo }) {
  const turn = (name: string, cursor: string | null) => {
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
      {route.query.has("after") || route.query.has("before") ? (
        <button type="button" className="bare" onClick={() => turn("after", null)}>
          First page
        </button>
      ) : null}
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

/** The list of tasks. Filter, order and page are in the URL. */
export function TasksPage({ route }: { route: Route }) {
  // A relative period starts when it is selected, so that the query stays the same afterwards.
  const variables = useMemo(() => {
    const { field, direction } = parseOrder(route.query);
    const before = route.query.get("before");
    const after = route.query.get("after");
    const page = before ? { last: PAGE_SIZE, before } : { first: PAGE_SIZE, after };
    return { ...page, filter: parseFilter(route.query, Date.now()), orderBy: { field, direction } };
  }, [route]);
  const { data, error, refresh } = useLiveQuery(TasksDocument, variables, null);
  const tasks = data?.tasks;
  const isLater = route.query.has("after") || route.query.has("before");
  const isStale = error?.code === "CURSOR_INVALID" || (isLater && tasks?.nodes.length === 0);
  return (
    <>
      <title>Tasks · lamia</title>
      <div className="title-row">
        <h1>Tasks</h1>
        {tasks && <span className="quiet total">{formatNumber(tasks.totalCount)}</span>}
      </div>
      <TaskFilterForm route={route} />
      {isStale && <StalePage showFirst={() => updateQuery(route, {})} />}
      {error && !tasks && !isStale && <ErrorNotice error={error} retry={refresh} />}
      {!error && !tasks && <Loading rows={8} />}
      {tasks && tasks.nodes.length === 0 && !isStale && <EmptyList route={route} />}
      {tasks && tasks.nodes.length > 0 && (
        <>
          <table className="tasks">
            <thead>
              <tr>
                <SortableHeader route={route} name="name" label="Task" />
                <th scope="col">State</th>
                <th scope="col">Progress</th>
                <th scope="col">Jobs</th>
                <SortableHeader route={route} name="submitted" label="Submitted" />
                <SortableHeader route={route} name="finished" label="Finish" />
              </tr>
            </thead>
            <tbody>
              {tasks.nodes.map((task) => (
                <Row key={task.id} task={task} />
              ))}
            </tbody>
          </table>
          <Pager route={route} info={tasks.pageInfo} />
          <ExportButtons
            name={["tasks"]}
            readPage={taskReader(variables.filter, variables.orderBy)}
          />
        </>
      )}
    </>
  );
}
