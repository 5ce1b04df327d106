import * as z from "zod";
import { AWS_IDENTITY } from "../../shared/aws/credentials.ts";

const PORT_MAX = 65_535;

const Environment = z.object({
  ...AWS_IDENTITY,
  AWS_REGION: z.string().min(1),
  /** `host:port`, where the runtime sends requests and where it waits for the server. */
  AWS_LAMBDA_HTTP_ENDPOINT: z.string().transform((text, context) => {
    const [, host = "", port = ""] = /^(.+):(\d{1,5})$/.exec(text) ?? [];
    if (host !== "" && Number(port) <= PORT_MAX) return { host: host.replace(/^\[(.*)\]$/, "$1"), port: Number(port) };
    context.addIssue("must be host:port");
    return z.NEVER;
  }),
  /** ARNs in Secrets Manager. The first two hold WEIR_PEPPERS and WEIR_RECEIPT_KEYS as they are, the next two one origin secret each, the last an object of WEIR_UPSTREAM_… names with a key and its origins each. */
  WEIR_SECRET_PEPPERS: z.string().optional(),
  WEIR_SECRET_RECEIPTS: z.string().optional(),
  WEIR_SECRET_ORIGIN_A: z.string().optional(),
  WEIR_SECRET_ORIGIN_B: z.string().optional(),
  WEIR_SECRET_UPSTREAM: z.string().optional(),
  /** An emulator's URL; absent, Secrets Manager's own of the Region. */
  WEIR_SECRETS_ENDPOINT: z.url().optional(),
});
export type WebFunctionConfig = z.infer<typeof Environment> & {
  /** All of it as it was given: what the gateway's own configuration is read from, once the secrets are there. */
  readonly environment: NodeJS.ProcessEnv;
};

/** Parses what a Lambda Web Function is told beside the gateway's own configuration. */
export function readWebFunctionConfig(environment: NodeJS.ProcessEnv = process.env): WebFunctionConfig {
  const parsed = Environment.safeParse(environment);
  if (!parsed.success) throw new Error(`The Web Function's environment is wrong:\n${z.prettifyError(parsed.error)}`);
  return { ...parsed.data, environment };
}
