import { expect, test } from "vitest";
import { Failure } from "../../../shared/base/failure.ts";
import { inCallersWords } from "./field-names.ts";

test.each<[path: "/completions" | "/chat/completions", ours: string, theirs: string]>([
  ["/completions", "maxTokens", "max_tokens"],
  ["/chat/completions", "logitBias", "logit_bias"],
  ["/completions", "prompts.3", "prompt.3"],
  ["/completions", "prompt.0", "prompt.0"],
  ["/chat/completions", "prompts.0", "messages"],
  ["/chat/completions", "messages", "messages"],
  ["/chat/completions", "response_format.json_schema.schema.properties.a", "response_format.json_schema.schema.properties.a"],
])("on %s, %s is told as %s, and nothing else changes", (path, ours, theirs) => {
  const failure = new Failure("invalid_request", "Why.", { field: ours, retryAfterMs: 5, cause: "c" });

  expect(inCallersWords(failure, path)).toMatchObject({
    code: "invalid_request",
    message: "Why.",
    field: theirs,
    retryAfterMs: 5,
    cause: "c",
  });
});

test("what names no field, and what is no failure, is left as it is", () => {
  const [failure, error] = [new Failure("timeout", "Late."), new Error("bug")];

  expect(inCallersWords(failure, "/completions")).toBe(failure);
  expect(inCallersWords(error, "/completions")).toBe(error);
});
