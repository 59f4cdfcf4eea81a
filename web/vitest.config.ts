import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["tests/**/*.test.ts"],
    // Times are shown in the time zone of the browser: the tests need a fixed one.
    env: { TZ: "Asia/Tokyo" },
    // The files share what they import, which takes most of the time otherwise: they pass in any order.
    isolate: false,
  },
});
