import { describe, expect, it } from "vitest";
import { type Checks, findAddressFaults } from "../src/pages/address-check";
import {
  ARRAY_PARAMETERS,
  JOB_PARAMETERS,
  LIST_PARAMETERS,
  TASK_PARAMETERS,
} from "../src/pages/address-parameters";

const faultsOf = (query: string, parameters: Checks) =>
  findAddressFaults(new URLSearchParams(query), parameters);
const textsOf = (query: string, parameters: Checks) =>
  faultsOf(query, parameters).map(({ text }) => text);

describe("findAddressFaults", () => {
  it("finds none in what the list writes", () => {
    const filter = "text=x&state=failed,running&outlook=at_risk&within=24h&from=2026-11-01&to=";
    const others = "sort=-finished&group=tag&after=xyz&kiosk&host=n1&message=m&user=u&tag=t";
    expect(faultsOf(`${filter}&${others}`, LIST_PARAMETERS)).toEqual([]);
  });

  it("tells of unknown values and parameters", () => {
    const query = "colour=red&state=failed,broken&sort=-size&group=host&within=2h&to=2026-99-99";
    const faults = faultsOf(query, LIST_PARAMETERS);
    const names = ["colour", "state", "sort", "group", "within", "to"];
    expect(faults.map(({ name }) => name)).toEqual(names);
    expect(faults.map(({ text }) => text)).toContain(
      "There is no state “broken”. Use one of: pending, submitted, running, succeeded, failed.",
    );
  });

  it("finds none in what the other pages write", () => {
    const cause = "why=exit,message,host&exit=-9&signal=SIGKILL&message=a,b&host=n1";
    const task = "view=graph&find=fit&only=attention&sort=given";
    const array = "pick=lost&map=2.56,2557&unsuccessful-after=x&held-before=y";
    expect(faultsOf(`${cause}&${task}`, TASK_PARAMETERS)).toEqual([]);
    expect(faultsOf(`${cause}&${array}`, ARRAY_PARAMETERS)).toEqual([]);
    expect(faultsOf(cause, JOB_PARAMETERS)).toEqual([]);
  });

  it("tells what is wrong on each page", () => {
    expect(textsOf("view=tree&only=failed", TASK_PARAMETERS)).toEqual([
      "There is no view “tree”. Use one of: rows, compact, graph.",
      "There is no filter “failed”. Use one of: attention.",
    ]);
    expect(textsOf("pick=broken&map=middle&kiosk", ARRAY_PARAMETERS)).toEqual([
      expect.stringMatching(/^There is no state “broken”. Use one of: done, .*, late, lost.$/),
      "“middle” is not a place of the map like 2.56,2557.",
      "There is no parameter “kiosk”.",
    ]);
    expect(textsOf("why=exit,reason&exit=many&host=n1", JOB_PARAMETERS)).toEqual([
      "There is no part of a cause “reason”. Use one of: exit, message, host.",
      "“many” is not an exit code like 134.",
      "“host” has no effect without “why=host”.",
    ]);
  });
});
