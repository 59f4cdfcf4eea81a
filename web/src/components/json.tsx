import { CopyButton } from "./copy-button";
import { LinkedText } from "./linked-text";

interface JsonDetailsProps {
  title: string;
  /** Any JSON value. */
  value: unknown;
}

/** A JSON value that can be expanded and copied. Nothing without a value. */
export function JsonDetails({ title, value }: JsonDetailsProps) {
  if (value === null || value === undefined) return null;
  const text = JSON.stringify(value, null, 2);
  return (
    <details className="json">
      <summary>{title}</summary>
      <div className="json-body">
        <CopyButton label="Copy" text={() => text} />
        {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a scrollable element needs keyboard focus */}
        <pre tabIndex={0}>
          <LinkedText text={text} />
        </pre>
      </div>
    </details>
  );
}
