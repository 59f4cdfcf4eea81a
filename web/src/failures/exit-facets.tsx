import { useBodyHold } from "../components/held-body";
import { formatNumber } from "../format";
import type { FailureCause } from "../generated/operations";
import { useHeldRows } from "../held-rows";
import { useSettledOrder } from "../settled-order";
import { describeExit, includesCause } from "./cause";

/** Failures that ended with the same exit code and signal. */
interface Exit {
  count: number;
  exitCode: number | null;
  signal: string | null;
}

function keyOf({ exitCode, signal }: Exit): string {
  return `${exitCode} ${signal}`;
}

function sizeOf({ count }: Exit): number {
  return count;
}

interface ExitFacetsProps {
  exits: readonly Exit[];
  picked: FailureCause | null;
  pick: (cause: FailureCause | null) => void;
}

/** Picks failures by how they ended, whatever their messages. */
export function ExitFacets({ exits, picked, pick }: ExitFacetsProps) {
  const settled = useSettledOrder(exits, keyOf, sizeOf);
  const { rows } = useHeldRows(settled, keyOf, useBodyHold().isHeld);
  return (
    <fieldset className="toggles">
      <legend>Ended by</legend>
      {rows.map((each) => {
        const { count, exitCode, signal } = each;
        const exit: FailureCause = { by: ["EXIT"], exitCode, signal };
        const isPicked = includesCause(picked, exit) && !picked?.by?.includes("MESSAGE");
        return (
          <button
            key={keyOf(each)}
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
