import { type FormEvent, useEffect, useRef, useState } from "react";
import { signIn } from "../session";

/** Asks for an access token, in place of a page that needs one. */
export function SignIn() {
  const [problem, setProblem] = useState("");
  const [isBusy, setBusy] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => input.current?.focus(), []);

  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const token = String(new FormData(event.currentTarget).get("token") ?? "").trim();
    setBusy(true);
    setProblem(await signIn(token));
    setBusy(false);
  };

  return (
    <form className="sign-in" onSubmit={(event) => void submit(event)}>
      <h1>Sign in</h1>
      <label>
        Access token
        <input ref={input} name="token" type="password" autoComplete="current-password" required />
      </label>
      {problem && <p role="alert">{problem}</p>}
      <button type="submit" className="button" disabled={isBusy}>
        Sign in
      </button>
      <p className="hint">
        An administrator creates one with <code>lamia-gql token create</code>.
      </p>
    </form>
  );
}
