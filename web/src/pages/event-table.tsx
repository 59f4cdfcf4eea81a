import { memo } from "react";
import { Badge } from "../components/badge";
import { Time } from "../components/time";
import { describeCause } from "../failures/cause";
import { formatNumber } from "../format";
import type { JobEvents } from "../job-events";
import type { JobEvent } from "../job-phases";
import { splitTexts } from "../payload";

/** Longer payloads are collapsed. */
const MAX_INLINE_CHARS = 90;

/** A payload: as JSON, but texts of several lines as they are. */
function Payload({ payload }: { payload: unknown }) {
  if (payload === null || payload === undefined) return null;
  const { texts, rest } = splitTexts(payload);
  return (
    <>
      {texts.map(([name, text]) => (
        <figure key={name} className="text">
          {name !== "" && <figcaption className="quiet">{name}</figcaption>}
          {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a scrollable element needs keyboard focus */}
          <pre tabIndex={0}>{text}</pre>
        </figure>
      ))}
      {rest !== undefined && <Json value={rest} />}
    </>
  );
}

function Json({ value }: { value: unknown }) {
  const text = JSON.stringify(value);
  if (text.length <= MAX_INLINE_CHARS) return <code>{text}</code>;
  return (
    <details>
      <summary>
        <code>{text.slice(0, MAX_INLINE_CHARS)} …</code>
      </summary>
      <pre>{JSON.stringify(value, null, 2)}</pre>
    </details>
  );
}

const Row = memo(function Row({ event }: { event: JobEvent }) {
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
      <td className="host">{event.hostname ?? event.clientAddress}</td>
      <td className="number" data-name="attempt">
        {event.attempt > 0 ? event.attempt : ""}
      </td>
      <td className="message">
        {cause !== "" && <p className="cause-text">{cause}</p>}
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
                <th scope="col">Message and payload</th>
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
