import { storedValue } from "../stored-value";
import { type ArrayIndices, COPY_FORMS, type CopyForm, formatIndices } from "./copy-forms";

/** The form in which indices are copied, as selected in this browser. */
export const copyForm = storedValue<CopyForm>(
  "lamia-copy-form",
  (text) => (text !== null && Object.hasOwn(COPY_FORMS, text) ? (text as CopyForm) : "ranges"),
  (form) => form,
);

/** The indices of an array in the selected form. */
export function formatSelected(jobs: ArrayIndices): string {
  return formatIndices(jobs, copyForm.get());
}
