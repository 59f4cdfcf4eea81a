import { useEffect, useRef } from "react";
import { JobPage } from "./pages/job";
import { ProcessPage } from "./pages/process";
import { TaskPage } from "./pages/task";
import { TasksPage } from "./pages/tasks";
import { Banner, Header } from "./parts/frame";
import { Notice } from "./parts/notice";
import { Link, type Place, usePlace } from "./router";

function Page({ place }: { place: Place }) {
  const [section, task, process, index, ...more] = place.path;
  if (section === undefined) return <TasksPage place={place} />;
  if (section === "tasks" && task !== undefined && more.length === 0) {
    if (process === undefined) return <TaskPage key={task} name={task} />;
    if (index === undefined) {
      return <ProcessPage key={`${task}/${process}`} task={task} name={process} place={place} />;
    }
    if (/^\d{1,9}$/.test(index)) {
      return (
        <JobPage key={place.path.join("/")} task={task} process={process} index={Number(index)} />
      );
    }
  }
  return (
    <Notice title="There is no such page">
      <p>
        <Link path={[]}>All tasks</Link>
      </p>
    </Notice>
  );
}

/** The dashboard. */
export function App() {
  const place = usePlace();
  const main = useRef<HTMLElement>(null);
  const path = place.path.join("/");
  const shown = useRef(path);

  // A new page is read from its top, and its title is where the keyboard goes on.
  useEffect(() => {
    if (shown.current === path) return;
    shown.current = path;
    window.scrollTo(0, 0);
    main.current?.focus({ preventScroll: true });
  }, [path]);

  return (
    <>
      <button type="button" className="skip" onClick={() => main.current?.focus()}>
        Skip to the content
      </button>
      <Header />
      <Banner />
      <main ref={main} tabIndex={-1}>
        <Page place={place} />
      </main>
    </>
  );
}
