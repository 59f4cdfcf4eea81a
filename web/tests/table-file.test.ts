import { describe, expect, it } from "vitest";
import { MAX_ROWS, type ReadPage, readTable } from "../src/export/read-table";
import { csvCell, fileName, TableFile } from "../src/export/table-file";

describe("csvCell", () => {
  it.each([
    [null, ""],
    [-1.5, "-1.5"],
    ["plain", "plain"],
    ['a "b", c', '"a ""b"", c"'],
    ["two\nlines", '"two\nlines"'],
    [["a", "b"], '"a, b"'],
    ["=1+1", "'=1+1"],
    ["+1", "'+1"],
    ["-1 is wrong", "'-1 is wrong"],
    ["@SUM(A1)", "'@SUM(A1)"],
    [" =1+1", "' =1+1"],
    ["\t=1+1", "'\t=1+1"],
    ["\r=1+1", '"\'\r=1+1"'],
    ["＝1+1", "'＝1+1"],
    ["a=b", "a=b"],
    ['=HYPERLINK("http://x","y")', '"\'=HYPERLINK(""http://x"",""y"")"'],
    [["=1", "b"], '"\'=1, b"'],
  ])("%j", (value, text) => expect(csvCell(value)).toBe(text));
});

describe("TableFile", () => {
  const pages = [
    [{ index: 1, message: "=bad" }],
    [
      { index: 2, message: null },
      { index: 3, message: "ü" },
    ],
  ];

  it("is a CSV file with the columns in its first line", async () => {
    const table = new TableFile("csv");
    for (const rows of pages) table.add(rows);
    expect(await table.finish().text()).toBe("index,message\r\n1,'=bad\r\n2,\r\n3,ü\r\n");
  });

  it("is a JSON list of what was added, unchanged", async () => {
    const table = new TableFile("json");
    for (const rows of pages) table.add(rows);
    expect(JSON.parse(await table.finish().text())).toEqual(pages.flat());
  });

  it.each(["csv", "json"] as const)("is a valid %s file without rows", async (format) => {
    const table = new TableFile(format);
    table.add([]);
    const text = await table.finish().text();
    expect(format === "csv" ? text : JSON.parse(text)).toEqual(format === "csv" ? "" : []);
  });
});

it("names files without what they may not have", () => {
  expect(fileName(["a/b", 'c:"d"\n', "failed"], "csv")).toBe("a_b-c_d_-failed.csv");
  expect(fileName(["x".repeat(300)], "json")).toHaveLength(125);
});

describe("readTable", () => {
  /** A table of so many rows, in pages of a thousand. */
  function tableOf(rows: number): ReadPage {
    return async (after) => {
      const begin = Number(after ?? 0);
      const end = Math.min(begin + 1000, rows);
      const page = Array.from({ length: end - begin }, (_, place) => ({ index: begin + place }));
      return { rows: page, next: end < rows ? String(end) : null };
    };
  }
  const signal = new AbortController().signal;

  it("reads all pages", async () => {
    const told: number[] = [];
    const read = await readTable(tableOf(2500), "json", signal, (rows) => told.push(rows));
    expect(told).toEqual([1000, 2000, 2500]);
    expect(read).toMatchObject({ rows: 2500, isCut: false });
    const indices = JSON.parse(await read.file.text()) as { index: number }[];
    expect(indices.map(({ index }) => index)).toEqual(Array.from({ length: 2500 }, (_, i) => i));
  });

  it("stops at the largest number of rows, and says so", async () => {
    const read = await readTable(tableOf(MAX_ROWS + 1), "csv", signal, () => undefined);
    expect(read).toMatchObject({ rows: MAX_ROWS, isCut: true });
    expect((await readTable(tableOf(MAX_ROWS), "csv", signal, () => undefined)).isCut).toBe(false);
  });

  it("can be cancelled", async () => {
    const controller = new AbortController();
    const reading = readTable(tableOf(5000), "csv", controller.signal, () => controller.abort());
    await expect(reading).rejects.toThrow("aborted");
  });
});
