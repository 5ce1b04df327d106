import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["{shared,edge,functions,cdk,test}/**/*.test.ts"],
    exclude: ["**/node_modules/**", "test/bench/**"],
    reporters: ["default", "./test/count-reporter.ts"],
    testTimeout: 20_000,
    hookTimeout: 60_000,
    // What is polled for comes within milliseconds on a quiet machine, and within seconds on a busy one.
    expect: { poll: { timeout: 10_000 } },
    // Two cores: more workers only make the processes that journeys start slower.
    maxWorkers: 2,
    // The SDK signs every request; the emulators accept any signature.
    env: { AWS_ACCESS_KEY_ID: "test", AWS_SECRET_ACCESS_KEY: "test" },
  },
});
