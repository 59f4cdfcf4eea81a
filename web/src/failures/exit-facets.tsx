import { formatNumber } from "../format";
import type { FailureCause } from "../generated/operations";
import { describeExit, includesCause } from "./cause";

/** Failures that ended with the same exit code and signal. */
interface Exit {
  count: number;
  exitCode: number | null;
  signal: string | null;
}

interface ExitFacetsProps {
  exits: readonly Exit[];
  picked: FailureCause | null;
  pick: (cause: FailureCause | null) => void;
}

/** Picks failures by how they ended, whatever their messages. */
export function ExitFacets({ exits, picked, pick }: ExitFacetsProps) {
  return (
    <fieldset className="toggles">
      <legend>Ended by</legend>
      {exits.map(({ count, exitCode, signal }) => {
        const exit: FailureCause = { by: ["EXIT"], exitCode, signal };
        const isPicked = includesCause(picked, exit) && !picked?.by?.includes("MESSAGE");
        return (
          <button
            key={`${exitCode} ${signal}`}
            type="button"
            className="toggle"
            aria-pressed={isPicked}
            onClick={() => pick(isPicked ? null : exit)}
          >
            {describeExit({ exitCode, signal }) || "no exit code"}{" "}
            <strong>{formatNumber(count)}</strong>
          </button>
        );
      })}
    </fieldset>
  );
}
