import { execute } from "../api";
import {
  FailedIndicesDocument,
  FailedProcessesDocument,
  type FailureCause,
  JobIndicesDocument,
  type JobIndicesQuery,
  LostIndicesDocument,
} from "../generated/operations";
import { UNSUCCESSFUL } from "../states";
import { copyForm, formatSelected } from "./copy-form";
import { formatProcesses } from "./copy-forms";

function indicesOf({ process }: JobIndicesQuery): string {
  return process !== null && "indices" in process ? process.indices : "";
}

/**
 * The indices of the unsuccessful jobs of an array, or of those of them that have a cause, like
 * `813,900-904`.
 */
export async function fetchIndices(
  task: string,
  name: string,
  cause: FailureCause | null,
): Promise<string> {
  const { signal } = new AbortController();
  if (cause !== null)
    return indicesOf(await execute(FailedIndicesDocument, { task, name, cause }, signal));
  const states = [...UNSUCCESSFUL];
  return indicesOf(await execute(JobIndicesDocument, { task, name, states }, signal));
}

/** The indices of the unsuccessful jobs of an array, in the selected form. */
export async function fetchFailedIndices(task: string, name: string): Promise<string> {
  return formatSelected({ name, indices: await fetchIndices(task, name, null) });
}

/** The indices of the lost jobs of an array, in the selected form. */
export async function fetchLostIndices(task: string, name: string): Promise<string> {
  const { signal } = new AbortController();
  const lost = await execute(LostIndicesDocument, { task, name }, signal);
  return formatSelected({ name, indices: indicesOf(lost) });
}

/** The indices of the unsuccessful jobs that have a cause, in the selected form. */
export async function fetchFailures(
  task: string,
  name: string,
  cause: FailureCause,
): Promise<string> {
  return formatSelected({ name, indices: await fetchIndices(task, name, cause) });
}

/** The same for all processes of a task. */
export async function fetchTaskFailures(name: string, cause: FailureCause): Promise<string> {
  const variables = { name, cause };
  const { task } = await execute(FailedProcessesDocument, variables, new AbortController().signal);
  return formatProcesses(task?.failureGroups[0]?.processes ?? [], copyForm.get());
}
