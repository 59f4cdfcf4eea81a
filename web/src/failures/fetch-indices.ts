import { execute } from "../api";
import {
  FailedProcessesDocument,
  type FailureCause,
  type JobFilter,
  JobIndicesDocument,
} from "../generated/operations";
import { copyForm, formatIndices, formatProcesses } from "./copy-forms";

/** The indices of the jobs of an array that match, like `813,900-904`. */
export async function fetchIndices(task: string, name: string, filter: JobFilter): Promise<string> {
  const variables = { task, name, filter };
  const { process } = await execute(JobIndicesDocument, variables, new AbortController().signal);
  return process !== null && "indices" in process ? process.indices : "";
}

/** The indices of the failures of an array that have a cause, in the selected form. */
export async function fetchFailures(
  task: string,
  name: string,
  cause: FailureCause,
): Promise<string> {
  const indices = await fetchIndices(task, name, { cause });
  return formatIndices({ name, indices }, copyForm.get());
}

/** The same for all processes of a task. */
export async function fetchTaskFailures(name: string, cause: FailureCause): Promise<string> {
  const variables = { name, cause };
  const { task } = await execute(FailedProcessesDocument, variables, new AbortController().signal);
  return formatProcesses(task?.failureGroups[0]?.processes ?? [], copyForm.get());
}
