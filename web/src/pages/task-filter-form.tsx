import { useEffect, useId, useState } from "react";
import { Icon } from "../components/icon";
import type { Route } from "../route";
import { updateQuery } from "../router";
import { labelOf, STATES } from "../states";
import {
  formatSort,
  isDescendingByDefault,
  isFiltered,
  NO_FILTER,
  ORDERS,
  PERIODS,
  parseOrder,
  parseStates,
} from "./task-filter";

/** Delay between typing and filtering. */
const TYPING_DELAY_MS = 250;

interface FieldProps {
  route: Route;
  name: string;
  label: string;
  placeholder: string;
}

/** A text field for a query parameter. */
function TextField({ route, name, label, placeholder }: FieldProps) {
  const current = route.query.get(name) ?? "";
  const [text, setText] = useState(current);
  useEffect(() => setText(current), [current]);
  useEffect(() => {
    if (text === current) return;
    const timer = setTimeout(() => updateQuery(route, { [name]: text }, true), TYPING_DELAY_MS);
    return () => clearTimeout(timer);
  }, [text, current, name, route]);
  return (
    <label className={`field field-${name}`}>
      <span>{label}</span>
      <input
        type="search"
        value={text}
        placeholder={placeholder}
        autoComplete="off"
        spellCheck={false}
        onChange={(event) => setText(event.target.value)}
      />
    </label>
  );
}

function StateToggles({ route }: { route: Route }) {
  const selected = parseStates(route.query);
  return (
    <fieldset className="toggles">
      <legend>State</legend>
      {STATES.map((state) => {
        const isOn = selected.includes(state);
        const next = isOn ? selected.filter((other) => other !== state) : [...selected, state];
        return (
          <button
            key={state}
            type="button"
            className="toggle"
            aria-pressed={isOn}
            onClick={() => updateQuery(route, { state: next.join(",").toLowerCase() })}
          >
            <Icon name={state} />
            {labelOf(state)}
          </button>
        );
      })}
    </fieldset>
  );
}

function TimeField({ route }: { route: Route }) {
  const { query } = route;
  const [hasCustomDates, setCustomDates] = useState(query.has("from") || query.has("to"));
  const value = hasCustomDates ? "days" : (query.get("within") ?? "");
  return (
    <>
      <label className="field">
        <span>Submitted</span>
        <select
          value={value}
          onChange={(event) => {
            const selected = event.target.value;
            setCustomDates(selected === "days");
            const within = selected === "days" ? null : selected;
            updateQuery(route, { within, from: null, to: null });
          }}
        >
          <option value="">any time</option>
          {Object.entries(PERIODS).map(([name, { label }]) => (
            <option key={name} value={name}>
              {label}
            </option>
          ))}
          <option value="days">custom dates</option>
        </select>
      </label>
      {hasCustomDates &&
        (["from", "to"] as const).map((name) => (
          <label key={name} className="field">
            <span>{name === "from" ? "From" : "To"}</span>
            <input
              type="date"
              value={query.get(name) ?? ""}
              onChange={(event) => updateQuery(route, { [name]: event.target.value }, true)}
            />
          </label>
        ))}
    </>
  );
}

function OrderField({ route }: { route: Route }) {
  const order = parseOrder(route.query);
  const isDescending = order.direction === "DESC";
  const id = useId();
  const sort = (name: string, descending: boolean) =>
    updateQuery(route, { sort: formatSort(name, descending) });
  return (
    <div className="field">
      <label htmlFor={id}>Sort by</label>
      <span className="joined">
        <select
          id={id}
          value={order.name}
          onChange={(event) => sort(event.target.value, isDescendingByDefault(event.target.value))}
        >
          {Object.entries(ORDERS).map(([name, { label }]) => (
            <option key={name} value={name}>
              {label}
            </option>
          ))}
        </select>
        <button
          type="button"
          className="button"
          aria-label={isDescending ? "Sort ascending" : "Sort descending"}
          onClick={() => sort(order.name, !isDescending)}
        >
          {isDescending ? "↓" : "↑"}
        </button>
      </span>
    </div>
  );
}

/** The filter and order of the task list. Both are in the URL, so that they can be shared. */
export function TaskFilterForm({ route }: { route: Route }) {
  const [isOpen, setOpen] = useState(false);
  return (
    <search className={isOpen ? "filters is-open" : "filters"}>
      <TextField
        route={route}
        name="text"
        label="Search"
        placeholder="name, user, comment, host or tag"
      />
      <button
        type="button"
        className="button more"
        aria-expanded={isOpen}
        onClick={() => setOpen(!isOpen)}
      >
        Filters
      </button>
      <TextField route={route} name="user" label="User" placeholder="anyone" />
      <TextField route={route} name="tag" label="Tags" placeholder="any" />
      <TimeField route={route} />
      <OrderField route={route} />
      <StateToggles route={route} />
      {isFiltered(route.query) && (
        <button type="button" className="bare clear" onClick={() => updateQuery(route, NO_FILTER)}>
          Clear filters
        </button>
      )}
    </search>
  );
}
