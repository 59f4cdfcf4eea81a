/** The forms in which indices are copied: those of `lamia-gql resubmit --as`, and plain ranges. */
export type CopyForm = "ranges" | "slurm" | "condor" | "lsf" | "grid-engine" | "list";

/** The labels of the forms. */
export const COPY_FORMS: Record<CopyForm, string> = {
  ranges: "ranges",
  slurm: "Slurm: --array",
  condor: "HTCondor: queue",
  lsf: "LSF: name[…]",
  "grid-engine": "Grid Engine: -t",
  list: "one a line",
};

/** How many characters of indices one submission gets: Slurm and LSF take some 4,096. */
const MAX_LIST_LENGTH = 4000;

/** Jobs of an array. */
export interface ArrayIndices {
  name: string;
  /** As ranges, like `813,900-904`. */
  indices: string;
}

/** Jobs of a process, which have no indices if it is a solitary one. */
export interface ProcessIndices {
  name: string;
  indices: string | null;
}

/** The indices of a process in a form; several lines where one submission would be too long. */
export function formatIndices({ name, indices }: ArrayIndices, form: CopyForm): string {
  if (indices === "") return "";
  switch (form) {
    case "ranges":
      return indices;
    case "slurm":
      return splitIndices(indices, MAX_LIST_LENGTH)
        .map((part) => `--array=${part}`)
        .join("\n");
    case "lsf":
      return splitIndices(indices, MAX_LIST_LENGTH - name.length)
        .map((part) => `${name}[${part}]`)
        .join("\n");
    case "grid-engine":
      // It takes one range at a time.
      return indices
        .split(",")
        .map((part) => `-t ${part}`)
        .join("\n");
    case "condor":
      return `queue index in (${expand(indices).join(", ")})`;
    case "list":
      return expand(indices).join("\n");
  }
}

/** The indices of the processes of a task, each below a comment with its name. */
export function formatProcesses(processes: readonly ProcessIndices[], form: CopyForm): string {
  return processes
    .map(({ name, indices }) =>
      indices === null
        ? `# ${name}, whose only job has no index`
        : `# ${name}\n${formatIndices({ name, indices }, form)}`,
    )
    .join("\n");
}

/** Parts of ranges, none of them longer than `maxLength` where a range is not. */
function splitIndices(indices: string, maxLength: number): string[] {
  const parts: string[] = [];
  let begin = 0;
  while (indices.length - begin > maxLength) {
    const comma = indices.lastIndexOf(",", begin + maxLength);
    if (comma <= begin) break;
    parts.push(indices.slice(begin, comma));
    begin = comma + 1;
  }
  parts.push(indices.slice(begin));
  return parts;
}

function expand(indices: string): number[] {
  const found: number[] = [];
  for (const run of indices.split(",")) {
    const [first = 0, last = first] = run.split("-").map(Number);
    for (let index = first; index <= last; index += 1) found.push(index);
  }
  return found;
}
