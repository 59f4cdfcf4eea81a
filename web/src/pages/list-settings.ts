import { storedSwitch, storedValue } from "../stored-value";

/** How high the rows of the list are. */
export type Density = "dense" | "spacious";

/** The selected height of rows. */
export const density = storedValue<Density>(
  "lamia-density",
  (text) => (text === "spacious" ? "spacious" : "dense"),
  (value) => value,
);

/** Whether the browser is to notify of tasks that fail. It must also be permitted to. */
export const notifies = storedSwitch("lamia-notify", false);
