import { useMemo } from "react";
import { TasksDocument, type TasksQuery } from "../generated/operations";
import { useLiveQuery } from "../live-query";
import { Badge, OutlookBadge, Tags } from "../parts/badge";
import { JobsBar, JobsLine, ProgressBar } from "../parts/bar";
import { Failure, Loading, Notice } from "../parts/notice";
import { go, href, Link, type Place, refine } from "../router";
import { Time } from "../time";
import { number } from "../words";
import { filterOf, isDownAtFirst, isFiltered, NO_FILTER, orderOf, sortOf } from "./task-filter";
import { TaskFilterForm } from "./task-filter-form";

const PAGE = 25;
const SORTED = { ASC: "ascending", DESC: "descending" } as const;
const ARROWS = { none: "", ascending: "↑", descending: "↓" };

type TaskRow = TasksQuery["tasks"]["nodes"][number];
type PageInfo = TasksQuery["tasks"]["pageInfo"];

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
        <Badge sign={task.state} />
        <OutlookBadge outlook={task.outlook} ended={task.finishedAt !== null} />
      </td>
      <td className="cell-progress">
        <ProgressBar ratio={task.progress.ratio} label={`Progress of ${task.name}`} />
      </td>
      <td className="cell-jobs">
        <JobsBar counts={task.counts} />
        <JobsLine counts={task.counts} />
      </td>
      <td className="cell-age">
        <Time at={task.submittedAt} as="distance" />
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
        <Time at={task.finishedAt} as="distance" />
      </span>
    );
  }
  if (task.estimatedFinishAt === null) return <span className="quiet">–</span>;
  return (
    <span className="estimate">
      <Time at={task.estimatedFinishAt} as="distance" />
    </span>
  );
}

/** The head of a column by which the list can be ordered, and turned around. */
function SortHead({ place, name, label }: { place: Place; name: string; label: string }) {
  const order = orderOf(place.query);
  const sorted = order.name !== name ? "none" : SORTED[order.direction];
  const descending = sorted === "none" ? isDownAtFirst(name) : sorted === "ascending";
  return (
    <th scope="col" aria-sort={sorted}>
      <button type="button" onClick={() => refine(place, { sort: sortOf(name, descending) })}>
        {label} <span aria-hidden="true">{ARROWS[sorted]}</span>
      </button>
    </th>
  );
}

function Pager({ place, info }: { place: Place; info: PageInfo }) {
  const turn = (name: string, cursor: string | null) => {
    const query = new URLSearchParams(place.query);
    query.delete("after");
    query.delete("before");
    if (cursor) query.set(name, cursor);
    go(href([], query));
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
      {place.query.has("after") || place.query.has("before") ? (
        <button type="button" className="bare" onClick={() => turn("after", null)}>
          Back to the first page
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

function Nothing({ place }: { place: Place }) {
  if (isFiltered(place.query)) {
    return (
      <Notice title="No task fits">
        <p>The filter leaves none of the tasks.</p>
        <button type="button" className="button" onClick={() => refine(place, NO_FILTER)}>
          Show all tasks
        </button>
      </Notice>
    );
  }
  return (
    <Notice title="No tasks yet">
      <p>They appear here as soon as something submits one. To see what it looks like:</p>
      <pre className="command">lamia-gql demo --url {new URL(".", document.baseURI).href}</pre>
    </Notice>
  );
}

/** All tasks: a live list, filtered, sorted and paged by what the address says. */
export function TasksPage({ place }: { place: Place }) {
  // A relative span is counted from the moment when it was chosen: each filter is one query.
  const variables = useMemo(() => {
    const { field, direction } = orderOf(place.query);
    const before = place.query.get("before");
    const after = place.query.get("after");
    const page = before ? { last: PAGE, before } : { first: PAGE, after };
    return { ...page, filter: filterOf(place.query, Date.now()), orderBy: { field, direction } };
  }, [place]);
  const { data, error, refresh } = useLiveQuery(TasksDocument, variables, null);
  const tasks = data?.tasks;
  return (
    <>
      <title>Tasks · lamia</title>
      <div className="title-row">
        <h1>Tasks</h1>
        {tasks && <span className="quiet total">{number(tasks.totalCount)}</span>}
      </div>
      <TaskFilterForm place={place} />
      {error && !tasks && <Failure error={error} retry={refresh} />}
      {!error && !tasks && <Loading rows={8} />}
      {tasks && tasks.nodes.length === 0 && <Nothing place={place} />}
      {tasks && tasks.nodes.length > 0 && (
        <>
          <table className="tasks">
            <thead>
              <tr>
                <SortHead place={place} name="name" label="Task" />
                <th scope="col">State</th>
                <th scope="col">Progress</th>
                <th scope="col">Jobs</th>
                <SortHead place={place} name="submitted" label="Submitted" />
                <SortHead place={place} name="finished" label="Finish" />
              </tr>
            </thead>
            <tbody>
              {tasks.nodes.map((task) => (
                <Row key={task.id} task={task} />
              ))}
            </tbody>
          </table>
          <Pager place={place} info={tasks.pageInfo} />
        </>
      )}
    </>
  );
}
