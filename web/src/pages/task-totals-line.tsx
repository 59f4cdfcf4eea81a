import { JobsBar } from "../components/bar";
import { Icon } from "../components/icon";
import { formatCompact, formatCount, formatNumber, formatRate } from "../format";
import { describeTrouble } from "../outlook";
import { labelOf, STATES } from "../states";
import type { TaskTotals } from "./task-totals";

interface TaskTotalsLineProps {
  totals: TaskTotals;
  /** Number of tasks that match the filter, on all pages. */
  matching: number;
}

/** The sums of the tasks that are shown: tasks by outlook and state, jobs by state, and the rate. */
export function TaskTotalsLine({ totals, matching }: TaskTotalsLineProps) {
  const { counts, rate } = totals;
  const trouble = describeTrouble(counts);
  return (
    <p className="totals">
      <strong>
        {matching > totals.tasks
          ? `${formatNumber(totals.tasks)} of ${formatCount(matching, "task")}`
          : formatCount(matching, "task")}
      </strong>
      <TaskNumbers totals={totals} />
      {counts.total > 0 && (
        <span className="totals-jobs">
          <JobsBar counts={counts} />
          <span>
            {formatCompact(counts.done)} of {formatCompact(counts.total)} jobs
          </span>
          {trouble && <strong>{trouble}</strong>}
          {rate !== null && <span>{formatRate(rate)}</span>}
        </span>
      )}
    </p>
  );
}

/** The numbers of tasks that need help, and of those in each state. */
export function TaskNumbers({ totals }: { totals: TaskTotals }) {
  const { cannotSucceed, atRisk, stalled, states } = totals;
  return (
    <>
      {cannotSucceed > 0 && (
        <strong className="badge bad">
          <Icon name="CANNOT_SUCCEED" />
          {formatNumber(cannotSucceed)} {labelOf("CANNOT_SUCCEED")}
        </strong>
      )}
      {atRisk > 0 && (
        <strong className="badge">
          <Icon name="AT_RISK" />
          {formatNumber(atRisk)} {labelOf("AT_RISK")}
        </strong>
      )}
      {stalled > 0 && <strong>{formatNumber(stalled)} stalled</strong>}
      {STATES.toReversed().map((state) => {
        const count = states.get(state) ?? 0;
        if (count === 0) return null;
        return (
          <span key={state} className="badge">
            <Icon name={state} />
            {formatNumber(count)} {labelOf(state)}
          </span>
        );
      })}
    </>
  );
}
