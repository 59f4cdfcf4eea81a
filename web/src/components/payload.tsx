import { splitPayload } from "../payload";
import { CopyButton } from "./copy-button";
import { LinkedText } from "./linked-text";

/** Longer payloads are collapsed. */
const MAX_INLINE_CHARS = 90;

/** A payload: texts of several lines as they are, addresses and paths to open or copy, the rest as JSON. */
export function Payload({ payload }: { payload: unknown }) {
  if (payload === null || payload === undefined) return null;
  const { texts, places, rest } = splitPayload(payload);
  return (
    <>
      {texts.map(([name, text]) => (
        <figure key={`${name} ${text}`} className="text">
          <figcaption className="quiet">
            {name || "text"}{" "}
            <CopyButton isCompact label={`Copy ${name || "the text"}`} text={() => text} />
          </figcaption>
          {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a scrollable element needs keyboard focus */}
          <pre tabIndex={0}>
            <LinkedText text={text} />
          </pre>
        </figure>
      ))}
      {places.map(([name, text]) => (
        <p key={`${name} ${text}`} className="places">
          {name !== "" && <span className="quiet">{name}</span>}{" "}
          <code>
            <LinkedText text={text} />
          </code>{" "}
          <CopyButton isCompact label={`Copy ${name || "the address"}`} text={() => text} />
        </p>
      ))}
      {rest !== undefined && <Json value={rest} />}
    </>
  );
}

function Json({ value }: { value: unknown }) {
  const text = JSON.stringify(value);
  if (text.length <= MAX_INLINE_CHARS) {
    return (
      <code>
        <LinkedText text={text} />
      </code>
    );
  }
  const full = JSON.stringify(value, null, 2);
  return (
    <details>
      <summary>
        <code>{text.slice(0, MAX_INLINE_CHARS)} …</code>
      </summary>
      <div className="text">
        <CopyButton isCompact label="Copy the payload" text={() => full} />
        {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a scrollable element needs keyboard focus */}
        <pre tabIndex={0}>
          <LinkedText text={full} />
        </pre>
      </div>
    </details>
  );
}
