import { useEffect, useState } from "react";
import type { Dependency } from "./dependencies";
import type { GraphLayout, LayoutRequest } from "./graph-layout";
import LayoutWorker from "./layout.worker?worker";

/** Where the processes of a graph are drawn; it is computed beside the page, and anew for another graph. */
export function useLayout(
  names: readonly string[],
  edges: readonly Dependency[],
): { layout: GraphLayout | undefined; hasFailed: boolean } {
  const [layout, setLayout] = useState<GraphLayout>();
  const [hasFailed, setFailed] = useState(false);
  const requestText = JSON.stringify({ names, edges } satisfies LayoutRequest);
  useEffect(() => {
    const worker = new LayoutWorker();
    worker.onmessage = ({ data }: MessageEvent<GraphLayout>) => {
      setLayout(data);
      setFailed(false);
      worker.terminate();
    };
    worker.onerror = () => setFailed(true);
    worker.postMessage(JSON.parse(requestText));
    return () => worker.terminate();
  }, [requestText]);
  return { layout, hasFailed };
}
