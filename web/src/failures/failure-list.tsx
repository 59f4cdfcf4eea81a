import type { ReactNode } from "react";
import { CopyButton } from "../components/copy-button";
import { useBodyHold } from "../components/held-body";
import { NewRows } from "../components/hold-buttons";
import { Host } from "../components/host";
import { Time } from "../components/time";
import { formatCount, formatNumber } from "../format";
import type { FailureCause, TaskQuery } from "../generated/operations";
import { useHeldRows, useHeldValue } from "../held-rows";
import { commonDomain } from "../hosts";
import { useKept } from "../place";
import { useSettledOrder } from "../settled-order";
import { describeExit, includesCause, NOTHING_TOLD } from "./cause";
import { CopyFormSelect } from "./copy-form-select";

/** How many causes are listed. */
export const MAX_CAUSES = 20;
/** How many of them are shown at first. */
const SHOWN_CAUSES = 6;
/** How many hosts of each are read. */
export const MAX_HOSTS = 8;
const MAX_SHOWN_HOSTS = 3;

/** Jobs that failed for the same cause. */
export type Cause = NonNullable<TaskQuery["task"]>["causes"][number];

/** The cause of a group, as a filter. */
export function causeOf({ exitCode, signal, message }: Cause): FailureCause {
  return { by: ["EXIT", "MESSAGE"], exitCode, signal, message };
}

function keyOf(cause: Cause): string {
  return JSON.stringify(causeOf(cause));
}

function sizeOf({ count }: Cause): number {
  return count;
}

function Hosts({ cause }: { cause: Cause }) {
  const { hosts, hostCount, count } = cause;
  const domain = commonDomain(hosts.map(({ hostname }) => hostname));
  const shown = hosts.slice(0, hostCount === MAX_SHOWN_HOSTS + 1 ? hostCount : MAX_SHOWN_HOSTS);
  return (
    <span>
      {shown.map(({ hostname, count: jobs }, place) => (
        <span key={hostname ?? ""}>
          {place > 0 && ", "}
          <Host name={hostname} domain={domain} unknown="unknown host" />
          {jobs < count && ` (${formatNumber(jobs)})`}
        </span>
      ))}
      {hostCount > shown.length && ` and ${formatCount(hostCount - shown.length, "more host")}`}
    </span>
  );
}

interface RowProps {
  cause: Cause;
  /** The number of jobs of the largest group. */
  most: number;
  isPicked: boolean;
  pick: () => void;
  indices: () => Promise<string>;
  /** Whether it is not among the largest groups any more; the numbers are older. */
  isGone: boolean;
  /** What is shown below the row. */
  children: ReactNode;
}

function Row({ cause, most, isPicked, pick, indices, isGone, children }: RowProps) {
  const exit = describeExit(cause);
  return (
    <li className={isGone ? "cause is-gone" : "cause"}>
      <button type="button" className="cause-pick" aria-pressed={isPicked} onClick={pick}>
        <span className="cause-count">
          <strong>{formatNumber(cause.count)}</strong>
          <span className="host-track">
            <span className="host-bar" style={{ width: `${(cause.count / most) * 100}%` }} />
          </span>
        </span>
        <span className="cause-words">
          <span className="cause-text">
            {cause.message ? (
              <span className="cause-message">{cause.message}</span>
            ) : (
              exit === "" && <span className="quiet">{NOTHING_TOLD}</span>
            )}
            {exit !== "" && <span className="tag">{exit}</span>}
          </span>
          <span className="cause-facts quiet">
            <Hosts cause={cause} />
            <span>
              <Time at={cause.firstAt} />
              {cause.lastAt !== cause.firstAt && (
                <>
                  {" – "}
                  <Time at={cause.lastAt} />
                </>
              )}
            </span>
          </span>
        </span>
      </button>
      <CopyButton
        label={cause.count === 1 ? "Copy index" : `Copy ${formatNumber(cause.count)} indices`}
        text={indices}
      />
      {children}
    </li>
  );
}

interface FailureListProps {
  /** All failures together; empty without any. */
  total: readonly { count: number }[];
  /** The largest groups, the largest first. */
  causes: readonly Cause[];
  picked: FailureCause | null;
  /** Picks a cause; null for none. */
  pick: (cause: FailureCause | null) => void;
  /** The indices of a cause, in the selected form. */
  indices: (cause: FailureCause) => Promise<string>;
  /** What is shown below the picked cause. */
  details?: ReactNode;
  /** What is shown below the list. */
  children?: ReactNode;
}

/** The causes of failures: how many jobs, on which hosts, since when. One of them can be picked. */
export function FailureList(props: FailureListProps) {
  const { total, causes, picked, pick, indices, details, children } = props;
  const [isOpen, setOpen] = useKept("all-causes", false);
  const settled = useSettledOrder(causes, keyOf, sizeOf);
  const failures = total[0]?.count ?? 0;
  const { isHeld } = useBodyHold();
  const { value: isShown } = useHeldValue(failures > 0, isHeld);
  const held = useHeldRows(settled, keyOf, isHeld);
  if (!isShown) return null;
  const isLong = held.rows.length > SHOWN_CAUSES + 1;
  const isFolded =
    isLong &&
    !isOpen &&
    !held.rows.slice(SHOWN_CAUSES).some((each) => includesCause(picked, causeOf(each)));
  const most = Math.max(1, ...held.rows.map(sizeOf));
  const listed = causes.reduce((sum, { count }) => sum + count, 0);
  const number = listed < failures ? `more than ${causes.length}` : formatNumber(causes.length);
  return (
    <section className="card" aria-labelledby="causes">
      <div className="card-head">
        <h2 id="causes">
          {formatCount(failures, "failure")}, {number} {causes.length === 1 ? "cause" : "causes"}
        </h2>
        <span className="hold">
          <NewRows held={held} what="causes" />
          <CopyFormSelect />
        </span>
      </div>
      <ol className="causes">
        {(isFolded ? held.rows.slice(0, SHOWN_CAUSES) : held.rows).map((cause) => {
          const filter = causeOf(cause);
          const isPicked = includesCause(picked, filter);
          return (
            <Row
              key={keyOf(cause)}
              cause={cause}
              most={most}
              isPicked={isPicked}
              pick={() => pick(isPicked ? null : filter)}
              indices={() => indices(filter)}
              isGone={held.gone.has(keyOf(cause))}
            >
              {isPicked && details}
            </Row>
          );
        })}
      </ol>
      {isFolded && (
        <button type="button" className="button start" onClick={() => setOpen(true)}>
          Show all {causes.length} causes
        </button>
      )}
      {!isFolded && listed < failures && (
        <p className="quiet">and {formatCount(failures - listed, "failure")} of other causes</p>
      )}
      {children}
    </section>
  );
}
