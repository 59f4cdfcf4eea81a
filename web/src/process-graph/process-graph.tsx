import {
  type KeyboardEvent,
  memo,
  type SyntheticEvent,
  useEffect,
  useMemo,
  useRef,
  useState,
} from "react";
import { Loading, Notice } from "../components/notice";
import { formatNumber } from "../format";
import { orderProcesses } from "../pages/process-order";
import type { Process } from "../pages/process-row";
import { ProcessTile } from "../pages/process-tile";
import { arrowPath } from "./arrow-path";
import type { Dependencies } from "./dependencies";
import { type GraphLayout, NODE_HEIGHT_PX, NODE_WIDTH_PX } from "./graph-layout";
import { nearestNode } from "./nearest";
import { useLayout } from "./use-layout";
import { useZoom } from "./use-zoom";
import "./process-graph.css";

/** Below, names can't be read: processes are shown by their colours alone. */
const MIN_READABLE_ZOOM = 0.45;
/** Smaller graphs are shown in their whole width at first. */
const MIN_FIRST_ZOOM = 0.8;
const ZOOM_STEP = 1.3;
/** Of more names, so many are listed. */
const MAX_NAMES = 6;

interface NodeProps {
  task: string;
  process: Process;
  x: number;
  y: number;
  isDim: boolean;
  /** Whether Tab leads to it; from there, the arrow keys lead to the others. */
  isTabStop: boolean;
}

const Node = memo(function Node({ task, process, x, y, isDim, isTabStop }: NodeProps) {
  return (
    <li
      data-name={process.name}
      className={isDim ? "is-dim" : undefined}
      style={{
        left: `${x}px`,
        top: `${y}px`,
        width: `${NODE_WIDTH_PX}px`,
        height: `${NODE_HEIGHT_PX}px`,
      }}
    >
      <ProcessTile task={task} process={process} tabIndex={isTabStop ? 0 : -1} draggable={false} />
    </li>
  );
});

const Lines = memo(function Lines({ layout, picked }: { layout: GraphLayout; picked: string }) {
  const all = useMemo(() => layout.edges.map(({ points }) => arrowPath(points)).join(""), [layout]);
  const ofPicked = layout.edges.filter(({ from, to }) => from === picked || to === picked);
  return (
    <svg width={layout.width} height={layout.height} aria-hidden="true">
      <path d={all} className="graph-line" />
      <path
        d={ofPicked.map(({ points }) => arrowPath(points)).join("")}
        className="graph-line is-picked"
      />
    </svg>
  );
});

function listNames(names: readonly string[]): string {
  const others = names.length - MAX_NAMES;
  if (others <= 1) return names.join(", ");
  return `${names.slice(0, MAX_NAMES).join(", ")} and ${formatNumber(others)} more`;
}

/** What a process waits for, and what waits for it, in words. */
function describeNeighbours({ edges }: Dependencies, name: string): string {
  const before = edges.filter(({ to }) => to === name).map(({ from }) => from);
  const after = edges.filter(({ from }) => from === name).map(({ to }) => to);
  const waits = before.length === 0 ? "waits for none" : `waits for ${listNames(before)}`;
  return `${name}: ${waits}${after.length === 0 ? "" : `; awaited by ${listNames(after)}`}`;
}

interface ProcessGraphProps {
  task: string;
  processes: readonly Process[];
  dependencies: Dependencies;
  /** The names of processes to bring out. */
  found: ReadonlySet<string>;
  /** What is searched for; empty for nothing. */
  text: string;
}

/** The processes of a task in layers from left to right, each to the right of those it waits for. */
export default function ProcessGraph(props: ProcessGraphProps) {
  const { processes, dependencies } = props;
  const names = processes.map(({ name }) => name);
  const { layout, hasFailed } = useLayout(names, dependencies.edges);
  if (hasFailed) return <Notice title="The graph can’t be drawn">{null}</Notice>;
  if (layout === undefined) return <Loading rows={5} />;
  return <Drawing {...props} layout={layout} />;
}

function Drawing(props: ProcessGraphProps & { layout: GraphLayout }) {
  const { task, processes, dependencies, found, text, layout } = props;
  const frame = useRef<HTMLDivElement>(null);
  const { zoom, zoomBy, centre, dragging } = useZoom(frame);
  const [picked, setPicked] = useState("");
  const byName = useMemo(
    () => new Map(processes.map((process) => [process.name, process])),
    [processes],
  );
  const sorted = orderProcesses(processes, "attention");
  const first = (sorted.find(({ name }) => found.has(name)) ?? sorted[0])?.name;
  const tabStop = byName.has(picked) ? picked : first;
  const bringIn = (name: string | undefined, zoom?: number) => {
    const node = layout.nodes.find((node) => node.name === name);
    if (node) centre({ x: node.x + NODE_WIDTH_PX / 2, y: node.y + NODE_HEIGHT_PX / 2 }, zoom);
  };
  const fitted = (withHeight: boolean) => {
    const { clientWidth = 1, clientHeight = 1 } = frame.current ?? {};
    const zoom = Math.min(1, clientWidth / layout.width);
    return withHeight ? Math.min(zoom, clientHeight / layout.height) : zoom;
  };

  // What needs attention is in view at first, and what is searched for.
  // biome-ignore lint/correctness/useExhaustiveDependencies: the view stays where it is when states change
  useEffect(() => bringIn(first, Math.max(MIN_FIRST_ZOOM, fitted(false))), [layout]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: likewise
  useEffect(() => {
    if (text !== "") bringIn(first);
  }, [text]);

  const pick = ({ target }: SyntheticEvent) => {
    const name = target instanceof Element && target.closest<HTMLElement>("li")?.dataset.name;
    if (name) setPicked(name);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const from = layout.nodes.find(({ name }) => name === tabStop);
    const to = from && nearestNode(layout.nodes, from, event.key);
    if (to === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const item = frame.current?.querySelector(`li[data-name="${CSS.escape(to.name)}"] a`);
    if (item instanceof HTMLElement) item.focus({ preventScroll: true });
    bringIn(to.name);
  };
  return (
    <div className="graph">
      <div
        ref={frame}
        role="application"
        aria-label="Graph of the processes. Arrow keys lead from one to the next, Enter opens it."
        className={zoom < MIN_READABLE_ZOOM ? "graph-frame is-far" : "graph-frame"}
        {...dragging}
        onKeyDown={onKeyDown}
      >
        <div style={{ width: `${layout.width * zoom}px`, height: `${layout.height * zoom}px` }}>
          <div className="graph-content" style={{ transform: `scale(${zoom})` }}>
            <Lines layout={layout} picked={picked} />
            <ul onPointerOver={pick} onFocus={pick}>
              {layout.nodes.map(({ name, x, y }) => {
                const process = byName.get(name);
                return (
                  process && (
                    <Node
                      key={name}
                      task={task}
                      process={process}
                      x={x}
                      y={y}
                      isDim={!found.has(name)}
                      isTabStop={name === tabStop}
                    />
                  )
                );
              })}
            </ul>
          </div>
        </div>
      </div>
      <div className="map-foot">
        <p className="quiet" aria-live="polite">
          {picked === ""
            ? "Each process is to the right of those it waits for."
            : describeNeighbours(dependencies, picked)}
        </p>
        <div className="map-tools">
          <button
            type="button"
            className="button"
            aria-label="Zoom in"
            onClick={() => zoomBy(ZOOM_STEP)}
          >
            +
          </button>
          <button
            type="button"
            className="button"
            aria-label="Zoom out"
            onClick={() => zoomBy(1 / ZOOM_STEP)}
          >
            −
          </button>
          <button
            type="button"
            className="button"
            onClick={() => centre({ x: layout.width / 2, y: layout.height / 2 }, fitted(true))}
          >
            All
          </button>
        </div>
      </div>
      {dependencies.unknown.length > 0 && (
        <p className="quiet">
          Not shown, as this task has no such process: {listNames(dependencies.unknown)}.
        </p>
      )}
    </div>
  );
}
