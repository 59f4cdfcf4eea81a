import { Copy } from "./copy";

interface JsonProps {
  title: string;
  /** Any JSON. */
  value: unknown;
}

/** JSON that can be unfolded and copied; nothing where there is none. */
export function Json({ title, value }: JsonProps) {
  if (value === null || value === undefined) return null;
  const text = JSON.stringify(value, null, 2);
  return (
    <details className="json">
      <summary>{title}</summary>
      <div className="json-body">
        <Copy label="Copy" text={() => text} />
        {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keys */}
        <pre tabIndex={0}>{text}</pre>
      </div>
    </details>
  );
}
