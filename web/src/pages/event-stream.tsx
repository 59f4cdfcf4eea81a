import { memo } from "react";
import type { JobEvents } from "../job-events";
import type { JobEvent } from "../life";
import { Badge } from "../parts/badge";
import { Time } from "../time";
import { number } from "../words";

const LONG = 90;

function Payload({ payload }: { payload: unknown }) {
  if (payload === null || payload === undefined) return null;
  const text = JSON.stringify(payload);
  if (text.length <= LONG) return <code>{text}</code>;
  return (
    <details>
      <summary>
        <code>{text.slice(0, LONG)} …</code>
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
        <Badge sign={event.eventClass} />
      </td>
      <td className="number">{event.progress === null ? "" : number(event.progress)}</td>
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

/** The events of a job, the latest first, as they come. */
export function EventStream({ events }: { events: JobEvents }) {
  const { latest, total, older, error } = events;
  return (
    <section className="card" aria-labelledby="events">
      <h2 id="events">
        Events <span className="quiet total">{number(total)}</span>
      </h2>
      {total === 0 && (
        <p className="quiet">
          {error
            ? error.message
            : "Nothing was heard of this job yet. Its events appear here as they come."}
        </p>
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
      {older && (
        <button type="button" className="button" onClick={older}>
          Show older events
        </button>
      )}
      {!older && total > latest.length && (
        <p className="quiet">
          The latest {number(latest.length)} of {number(total)} events are kept here; GraphiQL shows
          all.
        </p>
      )}
    </section>
  );
}
