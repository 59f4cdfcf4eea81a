/** The ways to show a list of processes, as they are in the address, with their labels. */
export const PROCESS_VIEWS = { rows: "Rows", compact: "Compact", graph: "Graph" } as const;

/** A way to show a list of processes. */
export type ProcessView = keyof typeof PROCESS_VIEWS;
