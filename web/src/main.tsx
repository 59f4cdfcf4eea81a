import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./app";
import { allowEnlarging } from "./zoomed";
import "./styles/base.css";
import "./styles/colour.css";
import "./styles/header.css";
import "./styles/sign-in.css";
import "./styles/icon.css";
import "./styles/control.css";
import "./styles/component.css";
import "./styles/list.css";
import "./styles/task-filter.css";
import "./styles/task-table.css";
import "./styles/task-cards.css";
import "./styles/kiosk.css";
import "./styles/process.css";
import "./styles/process-list.css";
import "./styles/array.css";
import "./styles/failures.css";
import "./styles/payload.css";
import "./styles/export.css";
import "./styles/usage.css";
import "./styles/print.css";

const root = document.getElementById("root");
if (root === null) throw new Error("The page has no #root element.");
allowEnlarging();
createRoot(root).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
