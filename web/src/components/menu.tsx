import { type ReactNode, useEffect, useRef } from "react";
import { useRoute } from "../router";

interface MenuProps {
  /** Text of the button that opens it. */
  label: string;
  /** Whether it is open and has the focus when it appears. */
  startsOpen?: boolean;
  children: ReactNode;
}

/** A button and what it opens, until Escape, a click elsewhere or another page. */
export function Menu({ label, startsOpen = false, children }: MenuProps) {
  const menu = useRef<HTMLDetailsElement>(null);
  const route = useRoute();
  useEffect(() => {
    const close = (event: PointerEvent) => {
      if (menu.current && !menu.current.contains(event.target as Node)) menu.current.open = false;
    };
    document.addEventListener("pointerdown", close);
    return () => document.removeEventListener("pointerdown", close);
  }, []);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another page is what closes it
  useEffect(() => {
    if (menu.current) menu.current.open = false;
  }, [route]);
  useEffect(() => {
    if (!startsOpen || !menu.current) return;
    menu.current.open = true;
    menu.current.querySelector("summary")?.focus();
  }, [startsOpen]);
  return (
    <details
      className="menu"
      ref={menu}
      onKeyDown={(event) => {
        if (event.key !== "Escape" || !menu.current?.open) return;
        menu.current.open = false;
        menu.current.querySelector("summary")?.focus();
      }}
    >
      <summary className="toggle">{label}</summary>
      <div className="menu-body">{children}</div>
    </details>
  );
}
