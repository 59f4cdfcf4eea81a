import { ApiError } from "../api";
import { ExportJobsDocument, type ExportJobsQuery, type JobFilter } from "../generated/operations";
import { executePatiently } from "./execute-patiently";
import { type ReadPage, ROWS_PER_PAGE } from "./read-table";
import type { TableRow } from "./table-file";

type Process = NonNullable<ExportJobsQuery["process"]>;
type Job = Extract<Process, { jobs: unknown }>["jobs"]["nodes"][number];

function rowOf({ id: _, progress, usage, ...job }: Job): TableRow {
  return {
    ...job,
    progress: progress?.ratio ?? null,
    cpuSeconds: usage?.cpuSeconds ?? null,
    wallSeconds: usage?.wallSeconds ?? null,
    maxRssBytes: usage?.maxRssBytes ?? null,
    readBytes: usage?.readBytes ?? null,
    writeBytes: usage?.writeBytes ?? null,
    cpus: usage?.cpus ?? null,
    requestedMemoryBytes: usage?.requestedMemoryBytes ?? null,
  };
}

/** Reads the jobs of an array that match a filter. */
export function jobReader(task: string, name: string, filter: JobFilter): ReadPage {
  return async (after, signal) => {
    const variables = { task, name, filter, first: ROWS_PER_PAGE, after };
    const { process } = await executePatiently(ExportJobsDocument, variables, signal);
    if (process === null || !("jobs" in process)) {
      throw new ApiError("The array has been deleted.", false);
    }
    const { nodes, pageInfo } = process.jobs;
    return { rows: nodes.map(rowOf), next: pageInfo.hasNextPage ? pageInfo.endCursor : null };
  };
}
