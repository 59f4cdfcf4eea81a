import type { ReactNode } from "react";
import type { EventClass, JobState, Liveness, Outlook, State } from "../generated/operations";

/** The values with an icon. */
export type IconName = JobState | State | Liveness | Outlook | EventClass;

const RING = <circle cx="8" cy="8" r="6" fill="none" stroke="currentColor" strokeWidth="1.8" />;
const DISC = <circle cx="8" cy="8" r="7" fill="currentColor" />;
const DONE = (
  <>
    {DISC}
    <path d="m4.8 8.2 2.2 2.3 4.2-4.6" className="cut" />
  </>
);
const FAILED = (
  <>
    <path d="M5.1 1h5.8L15 5.1v5.8L10.9 15H5.1L1 10.9V5.1z" fill="currentColor" />
    <path d="m5.4 5.4 5.2 5.2m0-5.2-5.2 5.2" className="cut" />
  </>
);
const RUNNING = (
  <>
    {DISC}
    <path d="M6.4 4.9v6.2L11.3 8z" className="cut-fill" />
  </>
);
const SUBMITTED = (
  <>
    {RING}
    <path d="M8 4.6V8l2.3 1.6" fill="none" stroke="currentColor" strokeWidth="1.8" />
  </>
);
const PENDING = (
  <circle
    cx="8"
    cy="8"
    r="6"
    fill="none"
    stroke="currentColor"
    strokeWidth="1.8"
    strokeDasharray="2.4 2.31"
  />
);
const WARNING = (
  <>
    <path d="M8 1.2 15.4 14.4H.6z" fill="currentColor" />
    <path d="M8 6v4m0 1.6v1.2" className="cut" />
  </>
);

// Each icon has its own shape, so that icons differ by more than colour.
const SHAPES: Record<IconName, ReactNode> = {
  DONE,
  SUCCEEDED: DONE,
  FAILED,
  TERMINATED: (
    <>
      <rect x="1.5" y="1.5" width="13" height="13" rx="2" fill="currentColor" />
      <rect x="5.4" y="5.4" width="5.2" height="5.2" className="cut-fill" />
    </>
  ),
  HELD: (
    <>
      {DISC}
      <path d="M6 5v6m4-6v6" className="cut" />
    </>
  ),
  RUNNING,
  STARTED: RUNNING,
  SUBMITTED,
  PENDING,
  ON_TRACK: DONE,
  AT_RISK: WARNING,
  CANNOT_SUCCEED: (
    <>
      {RING}
      <path d="m3.8 12.2 8.4-8.4" stroke="currentColor" strokeWidth="1.8" />
    </>
  ),
  ALIVE: (
    <path
      d="M.8 8.6h3l2-4.8 3.6 9 2.1-4.2h3.7"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.8"
    />
  ),
  BEAT: (
    <path
      d="M.8 8.6h3l2-4.8 3.6 9 2.1-4.2h3.7"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.8"
    />
  ),
  LATE: (
    <>
      <path d="M3 1.2h10v2.2L9.4 8l3.6 4.6v2.2H3v-2.2L6.6 8 3 3.4z" fill="currentColor" />
    </>
  ),
  LOST: (
    <>
      {DISC}
      <path d="M6.1 6.3a2 2 0 1 1 2.7 1.9c-.6.3-.8.6-.8 1.2m0 1.6v1.2" className="cut" />
    </>
  ),
  READY: (
    <>
      {RING}
      <circle cx="8" cy="8" r="2.6" fill="currentColor" />
    </>
  ),
  PROGRESS: (
    <path d="M2 14V9.4m4 4.6V6.8m4 7.2V4.4M14 14V2" stroke="currentColor" strokeWidth="2" />
  ),
};

/** The icon of a state, liveness, outlook or event class. Hidden from screen readers. */
export function Icon({ name }: { name: IconName }) {
  return (
    <svg className={`icon icon-${name.toLowerCase()}`} viewBox="0 0 16 16" aria-hidden="true">
      {SHAPES[name]}
    </svg>
  );
}
