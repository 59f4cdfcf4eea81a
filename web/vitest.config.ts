import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["tests/**/*.test.ts"],
    // Times are shown in the time zone of the browser: the tests need a fixed one.
    env: { TZ: "Asia/Tokyo" },
  },
});
