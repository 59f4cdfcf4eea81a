import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";
import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";

const OUTPUT = join(import.meta.dirname, "../lamia_gql/_web");

/** Leaves of every built file its gzip and its brotli form: that is what the server sends. */
function precompressed(): Plugin {
  return {
    name: "precompressed",
    apply: "build",
    async closeBundle() {
      const entries = await readdir(OUTPUT, { recursive: true, withFileTypes: true });
      await Promise.all(
        entries.map(async (entry) => {
          if (!entry.isFile()) return;
          const path = join(entry.parentPath, entry.name);
          const content = await readFile(path);
          const brotli = promisify(brotliCompress)(content, {
            params: { [constants.BROTLI_PARAM_SIZE_HINT]: content.length },
          });
          await writeFile(`${path}.gz`, await promisify(gzip)(content, { level: 9 }));
          await writeFile(`${path}.br`, await brotli);
          await rm(path);
        }),
      );
    },
  };
}

export default defineConfig({
  // Relative, so that the pages work behind any prefix of a reverse proxy.
  base: "./",
  plugins: [react(), precompressed()],
  worker: { format: "es" },
  build: {
    outDir: OUTPUT,
    emptyOutDir: true,
    target: "es2023",
    // A data: address would need its own permission in the CSP.
    assetsInlineLimit: 0,
    // A polyfill would fetch what every browser of the target preloads by itself.
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 6000,
    rolldownOptions: {
      // React's compiler leaves notes to itself in the modules of GraphiQL.
      onwarn: (warning, warn) => warning.code !== "MODULE_LEVEL_DIRECTIVE" && warn(warning),
      input: {
        index: join(import.meta.dirname, "index.html"),
        graphiql: join(import.meta.dirname, "graphiql.html"),
      },
    },
  },
  server: {
    proxy: { "/graphql": { target: "http://127.0.0.1:8088", ws: true } },
  },
});
