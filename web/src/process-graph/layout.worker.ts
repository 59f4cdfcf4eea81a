import type { LayoutRequest } from "./graph-layout";
import { computeLayout } from "./layout";

addEventListener("message", ({ data }: MessageEvent<LayoutRequest>) => {
  postMessage(computeLayout(data));
});
