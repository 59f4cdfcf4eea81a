import { Store } from "./store";

/** Whether the server asks who the user is. */
export const signedOut = new Store(false);

const SESSION_URL = new URL("session", document.baseURI).href;

/** Signs in with an access token and begins the page anew. Returns why this has failed. */
export async function signIn(token: string): Promise<string> {
  try {
    const headers = { "content-type": "application/json" };
    const body = JSON.stringify({ token });
    const response = await fetch(SESSION_URL, { method: "POST", headers, body });
    if (response.ok) {
      location.reload();
      return "";
    }
    const { errors } = (await response.json()) as { errors?: { message: string }[] };
    return errors?.[0]?.message ?? `The server answered with status ${response.status}.`;
  } catch {
    return "The server does not respond.";
  }
}

/** Signs out and begins the page anew. */
export async function signOut(): Promise<void> {
  await fetch(SESSION_URL, { method: "DELETE" }).catch(() => undefined);
  location.reload();
}
