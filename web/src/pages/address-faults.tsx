import { hrefWith, type Route } from "../route";
import { type Checks, findAddressFaults } from "./address-check";

interface AddressFaultsProps {
  route: Route;
  /** What the URL of the page may have. */
  parameters: Checks;
}

/** What in the URL is ignored, because it is not valid, with a link that removes it. */
export function AddressFaults({ route, parameters }: AddressFaultsProps) {
  const faults = findAddressFaults(route.query, parameters);
  if (faults.length === 0) return null;
  const without = Object.fromEntries(faults.map(({ name }) => [name, null]));
  const them = faults.length === 1 ? "it" : "them";
  return (
    <p className="faults" role="alert">
      {faults.map(({ name, text }) => (
        <span key={name}>{text}</span>
      ))}
      <span>
        This page ignores {them}.{" "}
        <a href={hrefWith(route, without)}>Remove {them} from the address</a>
      </span>
    </p>
  );
}
