import * as z from "zod";
import type { ResponseFormat } from "../../../shared/inference/generation.ts";
import { checkSchema } from "../../../shared/inference/runtime/grammar/check-schema.ts";

/** https://platform.openai.com/docs/api-reference/chat/create#chat-create-response_format; which keywords a schema may have, /docs says. */
export const ResponseFormatField = z.discriminatedUnion("type", [
  z.object({ type: z.literal("text") }),
  z.object({ type: z.literal("json_object") }),
  z.object({
    type: z.literal("json_schema"),
    json_schema: z.object({
      name: z.string().max(64).optional(),
      description: z.string().optional(),
      schema: z.union([z.record(z.string(), z.unknown()), z.boolean()], "must be a JSON schema").optional(),
      strict: z.boolean().nullish(),
    }),
  }),
]);

/** What the answer must be; every schema is enforced, whether `strict` says so or not. Refuses one that answers cannot be held to, naming the keyword. */
export function formatOf(asked: z.infer<typeof ResponseFormatField> | null | undefined): { readonly format?: ResponseFormat } {
  switch (asked?.type) {
    case undefined:
    case "text":
      return {};
    case "json_object":
      return { format: { kind: "json_object" } };
    case "json_schema":
      return { format: schemaFormat(asked.json_schema.schema) };
  }
}

function schemaFormat(schema: unknown): ResponseFormat {
  if (schema === undefined) return { kind: "json_object" };
  checkSchema(schema);
  return { kind: "json_schema", schema };
}
