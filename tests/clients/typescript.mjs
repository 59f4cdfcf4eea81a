// Writes TypeScript by GraphQL Code Generator into the folder of the second argument, and prints the
// files: all types of the schema, and what the settings in the file of the first argument ask for, for
// the operations in ../../schema.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { pathToFileURL } from "node:url";
import { codegen } from "@graphql-codegen/core";
import { parse } from "graphql";

const [settings, folder] = process.argv.slice(2);
const { generates } = (await import(pathToFileURL(settings))).default;
const folderOfSchema = join(import.meta.dirname, "../../schema");
const read = (...path) => parse(readFileSync(join(folderOfSchema, ...path), "utf8"));
const documents = readdirSync(join(folderOfSchema, "operations")).map((name) => ({
  location: name,
  document: read("operations", name),
}));

const files = [];
for (const [file, { plugins, config }] of Object.entries({
  "schema.ts": { plugins: ["typescript"], config: {} },
  ...generates,
})) {
  const pluginMap = {};
  for (const name of plugins) pluginMap[name] = await import(`@graphql-codegen/${name}`);
  const filename = join(folder, basename(file));
  const output = await codegen({
    filename,
    schema: read("schema.graphql"),
    documents,
    config: { ...config, strictScalars: "scalars" in config },
    plugins: plugins.map((name) => ({ [name]: {} })),
    pluginMap,
  });
  writeFileSync(filename, output);
  files.push(filename);
}
console.log(JSON.stringify(files));
