// Writes the types of all operations in ../../schema, by GraphQL Code Generator, into the file of the
// argument: those of the schema, and those of the operations.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { codegen } from "@graphql-codegen/core";
import * as typescript from "@graphql-codegen/typescript";
import * as operations from "@graphql-codegen/typescript-operations";
import { parse } from "graphql";

const schema = join(import.meta.dirname, "../../schema");
const read = (...path) => parse(readFileSync(join(schema, ...path), "utf8"));
const folders = readdirSync(join(schema, "operations"));
for (const [name, plugin] of Object.entries({ typescript, operations })) {
  const output = await codegen({
    filename: `${name}.ts`,
    schema: read("schema.graphql"),
    documents: folders.map((name) => ({ location: name, document: read("operations", name) })),
    config: { strictScalars: true, scalars: { DateTime: "string", JSON: "unknown", UUID: "string" } },
    plugins: [{ [name]: {} }],
    pluginMap: { [name]: plugin },
  });
  writeFileSync(join(process.argv[2], `${name}.ts`), output);
}
