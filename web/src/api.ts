import { ProbeDocument, type TypedDocumentString } from "./generated/operations";
import { signedOut } from "./session";
import { Store } from "./store";

/** The GraphQL endpoint: relative to the page, so that both work under any prefix. */
export const GRAPHQL_URL = new URL("graphql", document.baseURI).href;

const PROBE_TIMEOUT_MS = 5000;

/**
 * Asks for all that is committed, also where the server reads from replicas: a change that was pushed
 * is to be in the answer to the request that follows it.
 */
export const COMMITTED = { "lamia-position": "committed" };

/** Whether the last request, or a connection since then, reached the server. */
export const reachable = new Store(true);

/** A failed request. The message is shown to the user. */
export class ApiError extends Error {
  /** Whether a retry may succeed soon: no response, or status 5xx. */
  readonly retryable: boolean;
  /** The code of the GraphQL error; undefined for other failures. */
  readonly code: string | undefined;

  constructor(message: string, retryable: boolean, code?: string) {
    super(message);
    this.retryable = retryable;
    this.code = code;
  }
}

/** Delay before a failed request is retried, in ms. */
export function retryDelayMs(error: ApiError): number {
  return error.retryable ? 2000 : 20_000;
}

/** Whatever a request threw, as an {@link ApiError}. */
export function asApiError(reason: unknown): ApiError {
  return reason instanceof ApiError ? reason : new ApiError(String(reason), false);
}

interface GraphQLResponse<T> {
  data?: T | null;
  errors?: { message: string; extensions?: { code?: string } }[];
}

/** Sends an operation by POST and returns its data. Throws {@link ApiError}, or an AbortError. */
export async function execute<T, V>(
  document: TypedDocumentString<T, V>,
  variables: V,
  signal: AbortSignal,
): Promise<T> {
  const result = await send<T>(JSON.stringify({ query: document.toString(), variables }), signal);
  const error = result.errors?.[0];
  if (error?.extensions?.code === "UNAUTHENTICATED") signedOut.set(true);
  if (error) throw new ApiError(error.message, false, error.extensions?.code);
  if (result.data == null) throw new ApiError("The response contains no data.", false);
  return result.data;
}

/** Whether the server answers requests now. */
export async function answers(): Promise<boolean> {
  const body = JSON.stringify({ query: ProbeDocument.toString() });
  try {
    const { data } = await send(body, AbortSignal.timeout(PROBE_TIMEOUT_MS));
    return data != null;
  } catch {
    return false;
  }
}

async function send<T>(body: string, signal: AbortSignal): Promise<GraphQLResponse<T>> {
  try {
    const headers = {
      "content-type": "application/json",
      accept: "application/json",
      ...COMMITTED,
    };
    const response = await fetch(GRAPHQL_URL, { method: "POST", body, headers, signal });
    if (response.status >= 500) {
      throw new ApiError(`The server answered with status ${response.status}.`, true);
    }
    const result = (await response.json()) as GraphQLResponse<T>;
    reachable.set(true);
    return result;
  } catch (error) {
    if (signal.aborted || (error instanceof ApiError && !error.retryable)) throw error;
    reachable.set(false);
    throw error instanceof ApiError ? error : new ApiError("The server does not respond.", true);
  }
}
