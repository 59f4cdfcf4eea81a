import { useStore } from "../store";
import { copyForm } from "./copy-form";
import { COPY_FORMS, type CopyForm } from "./copy-forms";

/** Selects the form in which all buttons of the pages copy indices. */
export function CopyFormSelect() {
  const form = useStore(copyForm);
  return (
    <label className="copy-form">
      <span className="quiet">Copy as</span>{" "}
      <select value={form} onChange={(event) => copyForm.set(event.target.value as CopyForm)}>
        {Object.entries(COPY_FORMS).map(([name, label]) => (
          <option key={name} value={name}>
            {label}
          </option>
        ))}
      </select>
    </label>
  );
}
