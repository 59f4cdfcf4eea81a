import { Fragment } from "react";
import { shortHost } from "../hosts";

interface HostProps {
  name: string | null;
  /** The domain that it has in common with the hosts beside it, which is left out. */
  domain: string;
  /** Stands for a host that nobody has told. */
  unknown?: string;
}

/** The name of a host on one line; the tooltip has all of it. */
export function Host({ name, domain, unknown = "–" }: HostProps) {
  return (
    <span className="host" title={name ?? undefined}>
      {name === null ? unknown : shortHost(name, domain)}
    </span>
  );
}

/** The whole name of a host, which is broken before a dot, if at all. */
export function FullHost({ name }: { name: string }) {
  return name.split(".").map((part, place) => (
    // The place tells equal parts apart.
    // biome-ignore lint/suspicious/noArrayIndexKey: the parts do not move
    <Fragment key={place}>
      {place > 0 && (
        <>
          <wbr />.
        </>
      )}
      {part}
    </Fragment>
  ));
}
