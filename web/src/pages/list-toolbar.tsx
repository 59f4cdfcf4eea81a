import { useState } from "react";
import { Menu } from "../components/menu";
import { ExportButtons } from "../export/export-buttons";
import type { ReadPage } from "../export/read-table";
import { hrefWith, type Route } from "../route";
import { useStore } from "../store";
import { density, notifies } from "./list-settings";
import { ViewsMenu } from "./views-menu";

function DensityButton() {
  const isDense = useStore(density) === "dense";
  return (
    <button
      type="button"
      className="toggle wide-only"
      aria-pressed={isDense}
      onClick={() => density.set(isDense ? "spacious" : "dense")}
    >
      Dense rows
    </button>
  );
}

const INSECURE = "This page cannot notify: browsers allow it only on HTTPS and on localhost.";
const REFUSED =
  "This page cannot notify: your browser refuses it. Its settings for this site may allow it.";

/** Turns notifications on and off; asks for the permission first. Without it, tells why not. */
function NotifyButton() {
  const isWanted = useStore(notifies);
  const [permission, setPermission] = useState(() =>
    "Notification" in window && window.isSecureContext ? Notification.permission : "denied",
  );
  const [isAnswered, setAnswered] = useState(false);
  const isOn = isWanted && permission === "granted";
  const toggle = async () => {
    if (isOn) {
      notifies.set(false);
      return;
    }
    const answer = await Notification.requestPermission();
    setPermission(answer);
    setAnswered(true);
    notifies.set(answer === "granted");
  };
  if (permission === "denied") {
    return (
      <Menu label="Notify" startsOpen={isAnswered}>
        <p>{window.isSecureContext ? REFUSED : INSECURE}</p>
      </Menu>
    );
  }
  return (
    <button
      type="button"
      className="toggle"
      aria-pressed={isOn}
      title="Tells of tasks that fail or cannot succeed any more, while this page is open"
      onClick={() => void toggle()}
    >
      Notify
    </button>
  );
}

interface ListToolbarProps {
  route: Route;
  /** Reads all tasks that match the filter. */
  readPage: ReadPage;
}

/** What is done with the list that does not change what is in it. */
export function ListToolbar({ route, readPage }: ListToolbarProps) {
  return (
    <>
      <ViewsMenu route={route} />
      <Menu label="Download">
        <ExportButtons name={["tasks"]} readPage={readPage} />
      </Menu>
      <DensityButton />
      <NotifyButton />
      <a className="toggle wide-only" href={hrefWith(route, { kiosk: "1" })}>
        Kiosk
      </a>
    </>
  );
}
