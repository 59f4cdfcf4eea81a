import { useBodyHold } from "../components/held-body";
import { Host } from "../components/host";
import { includesCause } from "../failures/cause";
import { formatCount, formatNumber } from "../format";
import type { FailureCause } from "../generated/operations";
import { useHeldRows } from "../held-rows";
import { commonDomain } from "../hosts";
import { useSettledOrder } from "../settled-order";

interface RankedHost {
  hostname: string | null;
  count: number;
}

function keyOf({ hostname }: RankedHost): string {
  return hostname ?? "";
}

function sizeOf({ count }: RankedHost): number {
  return count;
}

interface HostRankingProps {
  /** The hosts with most failures, those with most first. */
  hosts: readonly RankedHost[];
  /** How many hosts there are. */
  hostCount: number;
  picked: FailureCause | null;
  /** Picks a host; null for none. */
  pick: (host: FailureCause | null) => void;
}

/** The hosts with the most unsuccessful jobs, to spot a bad node. One of them can be picked. */
export function HostRanking({ hosts, hostCount, picked, pick }: HostRankingProps) {
  const settled = useSettledOrder(hosts, keyOf, sizeOf);
  const { rows, gone } = useHeldRows(settled, keyOf, useBodyHold().isHeld);
  const most = Math.max(1, ...rows.map(sizeOf));
  const domain = commonDomain(rows.map(({ hostname }) => hostname));
  return (
    <section className="card" aria-labelledby="hosts">
      <h2 id="hosts">Failures by host</h2>
      <ol className="hosts">
        {rows.map((each) => {
          const { hostname, count } = each;
          const host: FailureCause = { by: ["HOST"], hostname };
          const isPicked = includesCause(picked, host);
          return (
            <li key={keyOf(each)} className={gone.has(keyOf(each)) ? "is-gone" : undefined}>
              <button
                type="button"
                className="host-pick"
                aria-pressed={isPicked}
                onClick={() => pick(isPicked ? null : host)}
              >
                <Host name={hostname} domain={domain} unknown="unknown" />
                <span className="host-count">{formatNumber(count)}</span>
                <span className="host-track">
                  <span className="host-bar" style={{ width: `${(count / most) * 100}%` }} />
                </span>
              </button>
            </li>
          );
        })}
      </ol>
      <p className="quiet">
        {hostCount > hosts.length && `and ${formatCount(hostCount - hosts.length, "more host")}; `}
        by last host{domain !== "" && `, without the domain ${domain.slice(1)}`}
      </p>
    </section>
  );
}
