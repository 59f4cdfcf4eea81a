import { type FormEvent, useState } from "react";
import { Menu } from "../components/menu";
import { hrefOf, type Route, withoutCursors } from "../route";
import { useStore } from "../store";
import { removeView, savedViews, saveView } from "./saved-views";

/** The saved views of the list, and a field to save what is shown as one. */
export function ViewsMenu({ route }: { route: Route }) {
  const views = useStore(savedViews);
  const query = withoutCursors(route.query).toString();
  const current = views.find((view) => view.query === query);
  return (
    <Menu label={current ? current.name : "Views"}>
      {views.length === 0 && <p className="quiet">No saved views yet.</p>}
      <ul>
        {views.map((view) => (
          <li key={view.name}>
            <a
              href={hrefOf([], new URLSearchParams(view.query))}
              aria-current={view === current ? "page" : undefined}
            >
              {view.name}
            </a>
            <button
              type="button"
              className="bare"
              aria-label={`Remove the view ${view.name}`}
              onClick={() => removeView(view.name)}
            >
              ×
            </button>
          </li>
        ))}
      </ul>
      <SaveForm query={query} />
    </Menu>
  );
}

function SaveForm({ query }: { query: string }) {
  const [name, setName] = useState("");
  const save = (event: FormEvent) => {
    event.preventDefault();
    if (name.trim() === "") return;
    saveView({ name: name.trim(), query });
    setName("");
  };
  return (
    <form onSubmit={save}>
      <label className="field">
        <span>Save this filter and order as</span>
        <input
          value={name}
          maxLength={60}
          required
          autoComplete="off"
          onChange={(event) => setName(event.target.value)}
        />
      </label>
      <button type="submit" className="button">
        Save
      </button>
    </form>
  );
}
