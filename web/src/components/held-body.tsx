import { createContext, type ReactNode, useContext } from "react";
import { type Hold, useHold } from "../held-rows";

const HoldContext = createContext<Hold | null>(null);

/** The body of a page, in which no row moves while somebody points at any of it or has paused it. */
export function HeldBody({ children }: { children: ReactNode }) {
  const hold = useHold();
  return (
    <HoldContext value={hold}>
      <div className="stack" {...hold.area}>
        {children}
      </div>
    </HoldContext>
  );
}

/** The hold of the {@link HeldBody} around a component. */
export function useBodyHold(): Hold {
  const hold = useContext(HoldContext);
  if (hold === null) throw new Error("There is no HeldBody around this component.");
  return hold;
}
