import { Notice } from "./notice";

/** In place of a page of a list that is no longer there: the way to the first one. */
export function StalePage({ showFirst }: { showFirst: () => void }) {
  return (
    <Notice title="This page of the list is no longer there">
      <p>Its entries have been deleted, or the address is from another list.</p>
      <button type="button" className="button" onClick={showFirst}>
        Show the first page
      </button>
    </Notice>
  );
}
