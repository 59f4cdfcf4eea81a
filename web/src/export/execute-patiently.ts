import { ApiError, execute, retryDelayMs } from "../api";
import type { TypedDocumentString } from "../generated/operations";

/** How often a request is sent before its failure counts. */
const MAX_TRIES = 5;

/**
 * Sends an operation like {@link execute}. While the server is away, busy or has had enough of this
 * client, it is sent again, so that a moment does not undo the reading of many pages.
 */
export async function executePatiently<T, V>(
  document: TypedDocumentString<T, V>,
  variables: V,
  signal: AbortSignal,
): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await execute(document, variables, signal);
    } catch (error) {
      if (!(error instanceof ApiError) || tries === MAX_TRIES) throw error;
      if (!error.retryable && error.code !== "RATE_LIMITED") throw error;
      await sleep(error.retryable ? retryDelayMs(error) : 1000 * tries, signal);
    }
  }
}

/** Resolves after a time, or when the signal is aborted. */
function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
