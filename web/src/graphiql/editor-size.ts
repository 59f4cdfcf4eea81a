import { useMonaco } from "@graphiql/react";
import { useEffect } from "react";

/** The size of the text in editors, as that of the page around them. */
const TEXT_REM = 15 / 16;

/** Lets the editors follow the size of the page's text, which style sheets can't tell them. */
export function useEditorSize(): void {
  const monaco = useMonaco((state) => state.monaco);
  useEffect(() => {
    if (!monaco) return;
    const { editor: editors } = monaco;
    const adjust = () => {
      const { fontSize } = getComputedStyle(document.documentElement);
      for (const editor of editors.getEditors()) {
        editor.updateOptions({ fontSize: TEXT_REM * Number.parseFloat(fontSize) });
      }
    };
    adjust();
    const created = editors.onDidCreateEditor(adjust);
    addEventListener("resize", adjust);
    return () => {
      created.dispose();
      removeEventListener("resize", adjust);
    };
  }, [monaco]);
}
