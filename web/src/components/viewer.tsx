import { useEffect, useState } from "react";
import { execute } from "../api";
import { ViewerDocument } from "../generated/operations";
import { signOut } from "../session";

/** The name of the user, and a button to sign out; nothing on a server that asks nobody. */
export function Viewer() {
  const [name, setName] = useState<string | null>(null);
  useEffect(() => {
    const controller = new AbortController();
    execute(ViewerDocument, {}, controller.signal).then(
      ({ viewer }) => setName(viewer.name),
      () => undefined,
    );
    return () => controller.abort();
  }, []);
  if (name === null) return null;
  return (
    <span className="viewer">
      <span>{name}</span>
      <button type="button" className="bare" onClick={() => void signOut()}>
        Sign out
      </button>
    </span>
  );
}
