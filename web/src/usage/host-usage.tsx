import { useBodyHold } from "../components/held-body";
import { Host } from "../components/host";
import { formatBytes, formatNumber, formatPercent } from "../format";
import type { ProcessUsageQuery } from "../generated/operations";
import { useHeldRows } from "../held-rows";
import { commonDomain } from "../hosts";
import { formatDuration } from "../time-format";

type Used = NonNullable<ProcessUsageQuery["process"]>["usage"]["hosts"][number];

function keyOf({ hostname }: Used): string {
  return hostname ?? "";
}

/** The hosts on which jobs took longest on average, what they used, and how they ended there. */
export function HostUsage({ hosts }: { hosts: readonly Used[] }) {
  const { rows } = useHeldRows(hosts, keyOf, useBodyHold().isHeld);
  const domain = commonDomain(rows.map(({ hostname }) => hostname));
  const longest = Math.max(0.001, ...rows.map(({ meanDuration }) => meanDuration ?? 0));
  return (
    <section className="usage-part usage-hosts" aria-labelledby="usage-hosts">
      <h3 id="usage-hosts">Hosts on which jobs took longest</h3>
      <ol>
        {rows.map(({ hostname, meanDuration, meanMemory, efficiency, done, unsuccessful }) => (
          <li key={hostname ?? ""}>
            <Host name={hostname} domain={domain} unknown="unknown" />
            <span className="host-track">
              <span
                className="host-mean"
                style={{ width: `${(100 * (meanDuration ?? 0)) / longest}%` }}
              />
            </span>
            <span className="host-numbers">
              {meanDuration !== null && (
                <span>{formatDuration(1000 * meanDuration)} on average</span>
              )}
              {meanMemory !== null && <span>{formatBytes(meanMemory)}</span>}
              {efficiency !== null && <span>{formatPercent(efficiency)} CPU efficiency</span>}
              <span className="quiet">{formatNumber(done)} done</span>
              {unsuccessful > 0 && (
                <span className="bad">{formatNumber(unsuccessful)} unsuccessful</span>
              )}
            </span>
          </li>
        ))}
      </ol>
    </section>
  );
}
