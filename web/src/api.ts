import type { TypedDocumentString } from "./generated/operations";
import { Store } from "./store";

/** Where GraphQL is served: beside the page, whatever prefix both have. */
export const GRAPHQL_URL = new URL("graphql", document.baseURI).href;

/** Whether the last request reached the server. */
export const reachable = new Store(true);

/** The server could not be reached, or refused; the message is for people. */
export class ApiError extends Error {
  /** Whether trying again may help: nothing answered, or the server said that it is busy. */
  readonly passing: boolean;

  constructor(message: string, passing: boolean) {
    super(message);
    this.passing = passing;
  }
}

/** Before a failed request is tried again, in ms: soon where that may help, else now and then. */
export function retryDelayMs(error: ApiError): number {
  return error.passing ? 2000 : 20_000;
}

/** What went wrong with a request, whatever was thrown. */
export function asApiError(reason: unknown): ApiError {
  return reason instanceof ApiError ? reason : new ApiError(String(reason), false);
}

interface Answer<T> {
  data?: T | null;
  errors?: { message: string }[];
}

/** The data of an operation, by POST. Throws {@link ApiError}; an abort throws as it does. */
export async function execute<T, V>(
  document: TypedDocumentString<T, V>,
  variables: V,
  signal: AbortSignal,
): Promise<T> {
  const answer = await send<T>(JSON.stringify({ query: document.toString(), variables }), signal);
  if (answer.errors?.[0]) throw new ApiError(answer.errors[0].message, false);
  if (answer.data == null) throw new ApiError("The answer has no data.", false);
  return answer.data;
}

async function send<T>(body: string, signal: AbortSignal): Promise<Answer<T>> {
  try {
    const headers = { "content-type": "application/json", accept: "application/json" };
    const response = await fetch(GRAPHQL_URL, { method: "POST", body, headers, signal });
    if (response.status >= 500) {
      throw new ApiError(`The server answers ${response.status}.`, true);
    }
    const answer = (await response.json()) as Answer<T>;
    reachable.set(true);
    return answer;
  } catch (error) {
    if (signal.aborted || (error instanceof ApiError && !error.passing)) throw error;
    reachable.set(false);
    throw error instanceof ApiError ? error : new ApiError("The server does not answer.", true);
  }
}
