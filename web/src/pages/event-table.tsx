import { memo } from "react";
import { Badge } from "../components/badge";
import { Time } from "../components/time";
import { formatNumber } from "../format";
import type { JobEvents } from "../job-events";
import type { JobEvent } from "../job-phases";

/** Longer payloads are collapsed. */
const MAX_INLINE_CHARS = 90;

function Payload({ payload }: { payload: unknown }) {
  if (payload === null || payload === undefined) return null;
  const text = JSON.stringify(payload);
  if (text.length <= MAX_INLINE_CHARS) return <code>{text}</code>;
  return (
    <details>
      <summary>
        <code>{text.slice(0, MAX_INLINE_CHARS)} …</code>
      </summary>
      <pre>{JSON.stringify(payload, null, 2)}</pre>
    </details>
  );
}

const Row = memo(function Row({ event }: { event: JobEvent }) {
  return (
    <tr>
      <td>
        <Time at={event.sentAt ?? event.receivedAt} />
      </td>
      <td>
        <Badge name={event.eventClass} />
      </td>
      <td className="number">{event.progress === null ? "" : formatNumber(event.progress)}</td>
      <td className="host">{event.hostname ?? event.clientAddress}</td>
      <td className="number" data-name="attempt">
        {event.attempt > 0 ? event.attempt : ""}
      </td>
      <td className="message">
        <Payload payload={event.payload} />
      </td>
    </tr>
  );
});

/** The events of a job, latest first. */
export function EventTable({ events }: { events: JobEvents }) {
  const { latest, total, loadOlder, error } = events;
  return (
    <section className="card" aria-labelledby="events">
      <h2 id="events">
        Events <span className="quiet total">{formatNumber(total)}</span>
      </h2>
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
                <th scope="col">Payload</th>
              </tr>
            </thead>
            <tbody>
              {latest.toReversed().map((event) => (
                <Row key={event.id} event={event} />
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
          Latest {formatNumber(latest.length)} of {formatNumber(total)} events. Use GraphiQL for
          older ones.
        </p>
      )}
    </section>
  );
}
