import { useEffect, useId, useState } from "react";
import { Icon } from "../parts/icon";
import { type Place, refine } from "../router";
import { STATES, word } from "../words";
import {
  isDownAtFirst,
  isFiltered,
  NO_FILTER,
  ORDERS,
  orderOf,
  sortOf,
  statesOf,
  WITHIN,
} from "./task-filter";

const TYPING = 250;

interface FieldProps {
  place: Place;
  name: string;
  label: string;
  placeholder: string;
}

/** A text in the address: it follows the reader's typing, a moment later. */
function TextField({ place, name, label, placeholder }: FieldProps) {
  const there = place.query.get(name) ?? "";
  const [text, setText] = useState(there);
  useEffect(() => setText(there), [there]);
  useEffect(() => {
    if (text === there) return;
    const timer = setTimeout(() => refine(place, { [name]: text }, true), TYPING);
    return () => clearTimeout(timer);
  }, [text, there, name, place]);
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

function StateToggles({ place }: { place: Place }) {
  const chosen = statesOf(place.query);
  return (
    <fieldset className="toggles">
      <legend>State</legend>
      {STATES.map((state) => {
        const on = chosen.includes(state);
        const next = on ? chosen.filter((other) => other !== state) : [...chosen, state];
        return (
          <button
            key={state}
            type="button"
            className="toggle"
            aria-pressed={on}
            onClick={() => refine(place, { state: next.join(",").toLowerCase() })}
          >
            <Icon sign={state} />
            {word(state)}
          </button>
        );
      })}
    </fieldset>
  );
}

function TimeField({ place }: { place: Place }) {
  const { query } = place;
  const [picking, setPicking] = useState(query.has("from") || query.has("to"));
  const value = picking ? "days" : (query.get("within") ?? "");
  return (
    <>
      <label className="field">
        <span>Submitted</span>
        <select
          value={value}
          onChange={(event) => {
            const chosen = event.target.value;
            setPicking(chosen === "days");
            const within = chosen === "days" ? null : chosen;
            refine(place, { within, from: null, to: null });
          }}
        >
          <option value="">any time</option>
          {Object.entries(WITHIN).map(([name, { label }]) => (
            <option key={name} value={name}>
              {label}
            </option>
          ))}
          <option value="days">days …</option>
        </select>
      </label>
      {picking &&
        (["from", "to"] as const).map((name) => (
          <label key={name} className="field">
            <span>{name === "from" ? "From" : "To"}</span>
            <input
              type="date"
              value={query.get(name) ?? ""}
              onChange={(event) => refine(place, { [name]: event.target.value }, true)}
            />
          </label>
        ))}
    </>
  );
}

function OrderField({ place }: { place: Place }) {
  const order = orderOf(place.query);
  const down = order.direction === "DESC";
  const id = useId();
  const sort = (name: string, descending: boolean) =>
    refine(place, { sort: sortOf(name, descending) });
  return (
    <div className="field">
      <label htmlFor={id}>Order</label>
      <span className="joined">
        <select
          id={id}
          value={order.name}
          onChange={(event) => sort(event.target.value, isDownAtFirst(event.target.value))}
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
          aria-label={
            down ? "Newest or last first; turn around" : "Oldest or first first; turn around"
          }
          onClick={() => sort(order.name, !down)}
        >
          {down ? "↓" : "↑"}
        </button>
      </span>
    </div>
  );
}

/** Which tasks, and in which order: all of it is in the address, so that it can be shared. */
export function TaskFilterForm({ place }: { place: Place }) {
  const [isOpen, setOpen] = useState(false);
  return (
    <search className={isOpen ? "filters is-open" : "filters"}>
      <TextField
        place={place}
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
        Filter
      </button>
      <TextField place={place} name="user" label="User" placeholder="anyone" />
      <TextField place={place} name="tag" label="Tags" placeholder="any" />
      <TimeField place={place} />
      <OrderField place={place} />
      <StateToggles place={place} />
      {isFiltered(place.query) && (
        <button type="button" className="bare clear" onClick={() => refine(place, NO_FILTER)}>
          Clear the filter
        </button>
      )}
    </search>
  );
}
