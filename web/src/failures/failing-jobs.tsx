import { useState } from "react";
import { asApiError } from "../api";
import { hrefOf, type Route } from "../route";
import { navigate } from "../router";
import { useShortcuts } from "../shortcuts";
import { parseCause, queryOf } from "./cause";
import { fetchIndices } from "./fetch-indices";
import { type Neighbours, neighboursOf } from "./neighbours";

const KEYS: Record<string, keyof Neighbours> = { "[": "previous", "]": "next" };

interface FailingJobsProps {
  task: string;
  name: string;
  /** The index of the job that is shown. */
  index: number;
  /** The route of its page; a cause in it is kept. */
  route: Route;
}

/**
 * Buttons that lead from a job to the previous and the next unsuccessful job, with the cause in the
 * address if there is one. The list from which the reader came stays the previous page.
 */
export function FailingJobs({ task, name, index, route }: FailingJobsProps) {
  /** Why a button led nowhere. */
  const [told, setTold] = useState("");
  const cause = parseCause(route.query);
  const kind = cause === null ? "unsuccessful job" : "job with this cause";
  const go = async (where: keyof Neighbours) => {
    try {
      const found = neighboursOf(await fetchIndices(task, name, cause), index)[where];
      if (found === null) setTold(`No ${kind} ${where === "next" ? "after" : "before"} this one.`);
      else navigate(hrefOf(["tasks", task, name, String(found)], queryOf(cause)), true);
    } catch (error) {
      setTold(asApiError(error).message);
    }
  };
  useShortcuts((key) => {
    const where = KEYS[key];
    if (where !== undefined) void go(where);
    return where !== undefined;
  });
  return (
    <span className="failing-jobs">
      <span className="quiet" role="status">
        {told}
      </span>
      <button
        type="button"
        className="button"
        title={`Previous ${kind}: [`}
        onClick={() => void go("previous")}
      >
        ← Previous {cause === null ? "unsuccessful" : "of this cause"}
      </button>
      <button
        type="button"
        className="button"
        title={`Next ${kind}: ]`}
        onClick={() => void go("next")}
      >
        Next →
      </button>
    </span>
  );
}
