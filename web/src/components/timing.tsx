import { describeRate, type Speed } from "../format";
import { FactList } from "./fact-list";
import { Duration, Time } from "./time";

/** When a task or process runs, and at which rate its jobs end. */
interface Run extends Speed {
  startedAt: string | null;
  finishedAt: string | null;
  estimatedFinishAt: string | null;
}

interface PaceProps {
  of: Omit<Run, "startedAt" | "finishedAt">;
  ended: boolean;
}

/** At which rate jobs end, and when the last will; an empty line until either is known. */
export function Pace({ of, ended }: PaceProps) {
  if (ended) return null;
  const rate = describeRate(of);
  return (
    <p className="pace quiet">
      {rate !== "" && <span>{rate}</span>}
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
        ["Recent rate", describeRate(of)],
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
