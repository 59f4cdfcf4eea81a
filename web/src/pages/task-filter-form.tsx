import { useEffect, useId, useState } from "react";
import { Icon } from "../components/icon";
import { type Outlook, type State, UsernamesDocument } from "../generated/operations";
import { useFetchedQuery } from "../live-query";
import type { Route } from "../route";
import { updateQuery } from "../router";
import { labelOf, STATES } from "../states";
import {
  formatSort,
  isDescendingByDefault,
  isFiltered,
  NO_FILTER,
  ORDERS,
  OUTLOOKS,
  PERIODS,
  parseDay,
  parseOrder,
  parseOutlooks,
  parseStates,
} from "./task-filter";
import { GROUPINGS, parseGrouping } from "./task-groups";

/** Delay between typing and filtering. */
const TYPING_DELAY_MS = 250;
const SUGGESTION_PACE = { minIntervalMs: 60_000 };
/** The parameters whose fields are shown on demand. */
const FOLDED = ["tag", "host", "message", "within", "from", "to"];

interface FieldProps {
  route: Route;
  name: string;
  label: string;
  placeholder: string;
  /** Users of tasks are suggested. */
  suggestsUsers?: boolean;
}

/** A text field for a query parameter. */
function TextField({ route, name, label, placeholder, suggestsUsers = false }: FieldProps) {
  const [isFocused, setFocused] = useState(false);
  const listId = useId();
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
        list={suggestsUsers ? listId : undefined}
        onFocus={() => setFocused(true)}
        onBlur={() => setFocused(false)}
        onChange={(event) => setText(event.target.value)}
      />
      {suggestsUsers && isFocused && <Usernames id={listId} text={text} />}
    </label>
  );
}

/** Suggests users for the last name of a list that is separated by commas. */
function Usernames({ id, text }: { id: string; text: string }) {
  const [, given = "", prefix = ""] = /^((?:.*,)?\s*)(.*)$/s.exec(text) ?? [];
  const { data } = useFetchedQuery(UsernamesDocument, { prefix }, SUGGESTION_PACE);
  return (
    <datalist id={id}>
      {data?.usernames?.map((username) => (
        <option key={username} value={given + username} />
      ))}
    </datalist>
  );
}

interface TogglesProps<T> {
  route: Route;
  /** The parameter in the URL. */
  name: string;
  label: string;
  values: readonly T[];
  selected: readonly T[];
}

/** A button for each value of a parameter that may have several. */
function Toggles<T extends State | Outlook>(props: TogglesProps<T>) {
  const { route, name, label, values, selected } = props;
  return (
    <fieldset className="toggles">
      <legend>{label}</legend>
      {values.map((value) => {
        const isOn = selected.includes(value);
        const next = isOn ? selected.filter((other) => other !== value) : [...selected, value];
        return (
          <button
            key={value}
            type="button"
            className="toggle"
            aria-pressed={isOn}
            onClick={() => updateQuery(route, { [name]: next.join(",").toLowerCase() })}
          >
            <Icon name={value} />
            {labelOf(value)}
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
              value={parseDay(query.get(name)) === null ? "" : (query.get(name) ?? "")}
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
          disabled={order.name === "attention"}
          aria-label={isDescending ? "Sort ascending" : "Sort descending"}
          onClick={() => sort(order.name, !isDescending)}
        >
          {isDescending ? "↓" : "↑"}
        </button>
      </span>
    </div>
  );
}

function GroupField({ route }: { route: Route }) {
  const id = useId();
  return (
    <div className="field">
      <label htmlFor={id}>Group by</label>
      <select
        id={id}
        value={parseGrouping(route.query) ?? ""}
        onChange={(event) => updateQuery(route, { group: event.target.value })}
      >
        <option value="">nothing</option>
        {Object.entries(GROUPINGS).map(([name, { label }]) => (
          <option key={name} value={name}>
            {label}
          </option>
        ))}
      </select>
    </div>
  );
}

/** The filter and order of the task list. Both are in the URL, so that they can be shared. */
export function TaskFilterForm({ route }: { route: Route }) {
  const { query } = route;
  const [isOpen, setOpen] = useState(() => FOLDED.some((name) => query.has(name)));
  return (
    <search className={isOpen ? "filters is-open" : "filters"}>
      <TextField
        route={route}
        name="text"
        label="Search"
        placeholder="words of name, user, comment, host or tag"
      />
      <TextField route={route} name="user" label="User" placeholder="anyone" suggestsUsers />
      <OrderField route={route} />
      <GroupField route={route} />
      <Toggles
        route={route}
        name="state"
        label="State"
        values={STATES}
        selected={parseStates(query)}
      />
      <Toggles
        route={route}
        name="outlook"
        label="Outlook"
        values={OUTLOOKS}
        selected={parseOutlooks(query)}
      />
      <button
        type="button"
        className="button more"
        aria-expanded={isOpen}
        onClick={() => setOpen(!isOpen)}
      >
        Filters
      </button>
      {isFiltered(query) && (
        <button type="button" className="bare clear" onClick={() => updateQuery(route, NO_FILTER)}>
          Clear filters
        </button>
      )}
      {isOpen && (
        <div className="more-filters">
          <TextField route={route} name="tag" label="Tags" placeholder="any" />
          <TextField route={route} name="host" label="Host of a job" placeholder="any" />
          <TextField
            route={route}
            name="message"
            label="Message of a failed job"
            placeholder="any part of it"
          />
          <TimeField route={route} />
        </div>
      )}
    </search>
  );
}
