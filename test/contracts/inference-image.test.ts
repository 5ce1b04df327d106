import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import type { GenerationCall } from "../../shared/inference/contract.ts";
import { folderOf, requestFor, startInference, storeVersion, type TestInference } from "../harness/inference.ts";
import { startS3, type TestS3 } from "../harness/s3.ts";

const DOCKERFILE = folderOf("functions/inference/Dockerfile");
const LIMITS = { signal: new AbortController().signal, timeoutMs: 30_000 };

let s3: TestS3;
let inference: TestInference;

beforeAll(async () => {
  // Within the project, so that ONNX Runtime is found as it is in the image.
  const app = mkdtempSync(folderOf("node_modules/.weir-image-"));
  execFileSync("npx", [...esbuildArguments(), `--outdir=${app}`], { cwd: folderOf("."), stdio: "ignore" });
  s3 = await startS3();
  inference = await startInference(s3, { WEIR_WORKERS: "1" }, join(app, "main.node.mjs"));
  return async () => {
    await inference.close();
    await s3.close();
    rmSync(app, { recursive: true });
  };
});

/** The image's own command, less where it writes to. */
function esbuildArguments(): string[] {
  const [, command = ""] = /RUN npx (esbuild (?:[^\n]*\\\n)*[^\n]*)/.exec(readFileSync(DOCKERFILE, "utf8")) ?? [];
  const words = command.replaceAll("\\\n", " ").match(/'[^']*'|\S+/g) ?? [];
  return words.map((word) => word.replaceAll("'", "")).filter((word) => !word.startsWith("--outdir="));
}

test("the image's bundle tokenises, runs and answers: every file that it starts beside itself is there", async () => {
  const bert = await storeVersion(s3, folderOf("test/fixtures/models/tiny-bert-embed"), "fp32");

  const { body } = await inference.client.run(
    requestFor(bert, { task: "embed", inputs: [{ kind: "text", text: "a" }], overlong: "cut" }),
    LIMITS,
  );

  expect(body).toMatchObject({ task: "embed", dimensions: 48 });
});

test("it renders a conversation and writes an answer in JSON", async () => {
  const chat = await storeVersion(s3, folderOf("cdk/local/models/smollm2-135m-instruct"), "q4");
  const call: GenerationCall = {
    ...requestFor(chat, { task: "detect", texts: ["x"] }),
    body: {
      task: "generate",
      prompts: [{ kind: "chat", messages: [{ role: "user", content: "Yes or no?" }] }],
      n: 1,
      maxTokens: 20,
      sampling: { temperature: 0 },
      stop: [],
      format: { kind: "json_schema", schema: { enum: ["yes", "no"] } },
    },
  };

  const events = await Array.fromAsync(inference.client.generate(call, LIMITS));

  expect(events.map((event) => (event.kind === "text" ? event.text : "")).join("")).toMatch(/^"(yes|no)"$/);
});
