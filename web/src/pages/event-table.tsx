import { memo, useMemo } from "react";
import { Badge } from "../components/badge";
import { useBodyHold } from "../components/held-body";
import { HoldButtons } from "../components/hold-buttons";
import { Host } from "../components/host";
import { LinkedText } from "../components/linked-text";
import { Payload } from "../components/payload";
import { Time } from "../components/time";
import { describeCause } from "../failures/cause";
import { formatNumber } from "../format";
import { JobEventsDocument } from "../generated/operations";
import { graphiqlHref } from "../graphiql-link";
import { useHeldRows, useHeldValue } from "../held-rows";
import { commonDomain } from "../hosts";
import type { JobAddress, JobEvents } from "../job-events";
import type { JobEvent } from "../job-phases";

/** Number of events that the link to GraphiQL asks for. */
const GRAPHIQL_PAGE_SIZE = 100;

const Row = memo(function Row({ event, domain }: { event: JobEvent; domain: string }) {
  const cause = describeCause(event);
  return (
    <tr>
      <td>
        <Time at={event.sentAt ?? event.receivedAt} />
      </td>
      <td>
        <Badge name={event.eventClass} />
      </td>
      <td className="number">{event.progress === null ? "" : formatNumber(event.progress)}</td>
      <td className="host-cell">
        <Host name={event.hostname ?? event.clientAddress} domain={domain} />
      </td>
      <td className="number" data-name="attempt">
        {event.attempt > 0 ? event.attempt : ""}
      </td>
      <td className="message">
        {cause !== "" && (
          <p className="told">
            <LinkedText text={cause} withCopy />
          </p>
        )}
        <Payload payload={event.payload} />
      </td>
    </tr>
  );
});

/** GraphiQL with the first events of a job. */
function hrefOfEvents(address: JobAddress): string {
  const variables = JSON.stringify({ ...address, first: GRAPHIQL_PAGE_SIZE, after: null }, null, 2);
  return graphiqlHref({ query: JobEventsDocument.toString(), variables });
}

function keyOf({ id }: JobEvent): string {
  return id;
}

/** The events of a job, latest first. New ones are only counted while they are too many to read. */
export function EventTable({ address, events }: { address: JobAddress; events: JobEvents }) {
  const { latest, total, loadOlder, scope, isBusy, error } = events;
  const domain = commonDomain(latest.map(({ hostname }) => hostname));
  const hold = useBodyHold();
  const newestFirst = useMemo(() => latest.toReversed(), [latest]);
  const isHeld = hold.isHeld || isBusy;
  const held = useHeldRows(newestFirst, keyOf, isHeld, scope);
  // More may have come than are kept.
  const seen = useHeldValue(total, isHeld);
  const news = {
    isBehind: held.isBehind,
    added: total - seen.value,
    release: () => {
      held.release();
      seen.release();
    },
  };
  return (
    <section className="card" aria-labelledby="events">
      <div className="card-head">
        <h2 id="events">
          Events <span className="quiet total">{formatNumber(total)}</span>
        </h2>
        <HoldButtons hold={hold} held={news} what="events" />
      </div>
      {total === 0 && (
        <p className="quiet">{error ? error.message : "No events yet. New events appear here."}</p>
      )}
      {total > 0 && (
        <div className="scroll">
          <table className="events">
            <thead>
              <tr>
                <th scope="col">Time</th>
                <th scope="col">Event</th>
                <th scope="col" className="number">
                  Progress
                </th>
                <th scope="col">Host</th>
                <th scope="col" className="number">
                  Attempt
                </th>
                <th scope="col">Message and payload</th>
              </tr>
            </thead>
            <tbody>
              {held.rows.map((event) => (
                <Row key={event.id} event={event} domain={domain} />
              ))}
            </tbody>
          </table>
        </div>
      )}
      {error && total > 0 && <p className="bad">{error.message}</p>}
      {loadOlder && (
        <button type="button" className="button" onClick={loadOlder}>
          Show older events
        </button>
      )}
      {!loadOlder && total > latest.length && (
        <p className="quiet">
          Latest {formatNumber(latest.length)} of {formatNumber(total)} events.{" "}
          <a href={hrefOfEvents(address)}>Open GraphiQL</a> for older ones.
        </p>
      )}
    </section>
  );
}
