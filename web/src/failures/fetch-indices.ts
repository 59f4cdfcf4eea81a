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
import { copyForm, formatIndices, formatProcesses } from "./copy-forms";

function format(name: string, { process }: JobIndicesQuery): string {
  const indices = process !== null && "indices" in process ? process.indices : "";
  return formatIndices({ name, indices }, copyForm.get());
}

/** The indices of the unsuccessful jobs of an array, in the selected form. */
export async function fetchFailedIndices(task: string, name: string): Promise<string> {
  const variables = { task, name, states: [...UNSUCCESSFUL] };
  return format(name, await execute(JobIndicesDocument, variables, new AbortController().signal));
}

/** The indices of the lost jobs of an array. */
export async function fetchLostIndices(task: string, name: string): Promise<string> {
  const variables = { task, name };
  return format(name, await execute(LostIndicesDocument, variables, new AbortController().signal));
}

/** The indices of the unsuccessful ones that have a cause. */
export async function fetchFailures(
  task: string,
  name: string,
  cause: FailureCause,
): Promise<string> {
  const variables = { task, name, cause };
  return format(
    name,
    await execute(FailedIndicesDocument, variables, new AbortController().signal),
  );
}

/** The same for all processes of a task. */
export async function fetchTaskFailures(name: string, cause: FailureCause): Promise<string> {
  const variables = { name, cause };
  const { task } = await execute(FailedProcessesDocument, variables, new AbortController().signal);
  return formatProcesses(task?.failureGroups[0]?.processes ?? [], copyForm.get());
}
