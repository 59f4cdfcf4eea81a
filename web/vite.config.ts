import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";
import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";

const OUTPUT = join(import.meta.dirname, "../lamia_gql/_web");

/** Replaces each built file by its gzip and brotli forms, which the server sends. */
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
  // Relative URLs work behind any prefix of a reverse proxy.
  base: "./",
  plugins: [react(), precompressed()],
  worker: { format: "es" },
  build: {
    outDir: OUTPUT,
    emptyOutDir: true,
    target: "es2023",
    // Inlined assets would need data: in the Content-Security-Policy.
    assetsInlineLimit: 0,
    // All target browsers support modulepreload.
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 6000,
    rolldownOptions: {
      // GraphiQL's modules contain "use no memo" directives of React's compiler.
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
