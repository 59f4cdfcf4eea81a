import { formatRate } from "../format";
import { FactList } from "./fact-list";
import { Duration, Time } from "./time";

/** When a task or process runs, and at which rate its jobs end. */
interface Run {
  startedAt: string | null;
  finishedAt: string | null;
  /** Jobs that end in a minute. */
  rate: number | null;
  stalledSince: string | null;
  estimatedFinishAt: string | null;
}

interface PaceProps {
  of: Pick<Run, "rate" | "estimatedFinishAt">;
  ended: boolean;
}

/** At which rate jobs end, and when the last will; an empty line until either is known. */
export function Pace({ of, ended }: PaceProps) {
  if (ended) return null;
  return (
    <p className="pace quiet">
      {of.rate ? <span>{formatRate(of.rate)}</span> : null}
      {of.estimatedFinishAt && (
        <span>
          ends <Time at={of.estimatedFinishAt} as="relative" />
        </span>
      )}
    </p>
  );
}

/** Start, duration, rate and estimated finish of a task or process. */
export function Timing({ of }: { of: Run }) {
  return (
    <FactList
      facts={[
        ["Started", of.startedAt && <Time at={of.startedAt} />],
        [
          of.finishedAt ? "Duration" : "Running for",
          of.startedAt && <Duration from={of.startedAt} to={of.finishedAt} />,
        ],
        ["Recent rate", of.rate ? formatRate(of.rate) : null],
        ["Stalled since", of.stalledSince && <Time at={of.stalledSince} />],
        ["Finished", of.finishedAt && <Time at={of.finishedAt} />],
        [
          "Estimated finish",
          of.estimatedFinishAt && (
            <>
              <Time at={of.estimatedFinishAt} />{" "}
              <span className="quiet">
                <Time at={of.estimatedFinishAt} as="relative" />
              </span>
            </>
          ),
        ],
      ]}
    />
  );
}
