import { Fragment } from "react";

/** Indices as ranges, broken into lines after commas only. */
export function IndexList({ indices }: { indices: string }) {
  return indices.split(",").map((run, place) => (
    <Fragment key={run}>
      {place > 0 && (
        <>
          ,<wbr />
        </>
      )}
      {run}
    </Fragment>
  ));
}
