// Generates types for ../schema/operations from the SDL, in src/generated/operations.ts. Operations
// that do not match the schema fail here; code that does not match the operations fails in tsc.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { codegen } from "@graphql-codegen/core";
import * as typedDocumentNode from "@graphql-codegen/typed-document-node";
import * as typescriptOperations from "@graphql-codegen/typescript-operations";
import { buildSchema, parse, specifiedRules, stripIgnoredCharacters, validate } from "graphql";

const root = new URL(".", import.meta.url).pathname;
const schema = buildSchema(readFileSync(join(root, "../schema/schema.graphql"), "utf8"));

/** The documents of a folder, each valid on its own. */
function documents(folder) {
  return readdirSync(folder)
    .filter((name) => name.endsWith(".graphql"))
    .sort()
    .map((name) => {
      const location = join(folder, name);
      const document = parse(readFileSync(location, "utf8"));
      const errors = validate(schema, document, specifiedRules);
      if (errors.length > 0) {
        throw new Error(`${name}: ${errors.map((error) => error.message).join(" ")}`);
      }
      return { location, document };
    });
}

documents(join(root, "src/graphiql/examples"));
const target = join(root, "src/generated");
const scalars = { DateTime: "string", JSON: "unknown", UUID: "string", ID: "string" };
const output = await codegen({
  filename: join(target, "operations.ts"),
  schema: parse(readFileSync(join(root, "../schema/schema.graphql"), "utf8")),
  schemaAst: schema,
  documents: documents(join(root, "../schema/operations")),
  config: {
    scalars,
    documentMode: "string",
    enumsAsTypes: true,
    useTypeImports: true,
    skipTypename: true,
  },
  plugins: [{ operations: {} }, { documents: {} }],
  pluginMap: { operations: typescriptOperations, documents: typedDocumentNode },
});
// They are a part of each page that is loaded, and of each request. Documents contain their fragments.
const stripped = output
  .replace(/(?<=TypedDocumentString\(`)[^`]*/g, stripIgnoredCharacters)
  .replace(/^export const \w+FragmentDoc = .*\n/gm, "");
mkdirSync(target, { recursive: true });
writeFileSync(join(target, "operations.ts"), `${stripped}\n`);
