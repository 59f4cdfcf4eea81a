import { useEffect, useRef } from "react";
import { ConnectionBanner, Header } from "./components/header";
import { Notice } from "./components/notice";
import { ShortcutHelp } from "./components/shortcut-help";
import { SignIn } from "./components/sign-in";
import { JobPage } from "./pages/job";
import { ProcessPage } from "./pages/process";
import { TaskPage } from "./pages/task";
import { TasksPage } from "./pages/tasks";
import { isKnownPlace, restorePlace, useAddress } from "./place";
import type { Route } from "./route";
import { Link, useRoute } from "./router";
import { signedOut } from "./session";
import { useStore } from "./store";

function Page({ route }: { route: Route }) {
  const [section, task, process, index, ...rest] = route.path;
  if (section === undefined) return <TasksPage route={route} />;
  if (section === "tasks" && task !== undefined && rest.length === 0) {
    if (process === undefined) return <TaskPage key={task} name={task} route={route} />;
    if (index === undefined) {
      return <ProcessPage key={`${task}/${process}`} task={task} name={process} route={route} />;
    }
    if (/^\d{1,9}$/.test(index)) {
      return (
        <JobPage
          key={route.path.join("/")}
          task={task}
          process={process}
          index={Number(index)}
          route={route}
        />
      );
    }
  }
  return (
    <Notice title="Page not found">
      <p>
        <Link path={[]}>All tasks</Link>
      </p>
    </Notice>
  );
}

/** The dashboard. */
export function App() {
  const route = useRoute();
  const main = useRef<HTMLElement>(null);
  const path = route.path.join("/");
  const { moves } = useAddress();
  const shown = useRef({ path, moves: -1 });

  const needsToken = useStore(signedOut);

  // A new page starts at its top and takes the keyboard focus; one that is known, where it was left.
  useEffect(() => {
    const { path: previous, moves: moved } = shown.current;
    shown.current = { path, moves };
    if (previous !== path) main.current?.focus({ preventScroll: true });
    if (previous !== path || (moved !== moves && isKnownPlace())) restorePlace();
  }, [path, moves]);

  if (needsToken) {
    return (
      <main>
        <SignIn />
      </main>
    );
  }
  return (
    <>
      <button type="button" className="skip" onClick={() => main.current?.focus()}>
        Skip to content
      </button>
      <Header />
      <ConnectionBanner />
      <main ref={main} tabIndex={-1}>
        <Page route={route} />
      </main>
      <ShortcutHelp />
    </>
  );
}
