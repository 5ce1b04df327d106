import * as z from "zod";
import { Failure } from "../base/failure.ts";
import { assertTargetUrl, checkedAddresses, hostOf, type Resolve } from "../events/target.ts";
import type { Upstream } from "./version.ts";

export const ENGINE_ORIGINS_MAX = 100;
const CREDENTIAL_ORIGINS_MAX = 20;
const CREDENTIAL_CHARS_MAX = 8_192;

/** Scheme, host and port of an engine, such as `https://api.example.com`: no path, and no pattern. */
export const EngineOrigin = z
  .string()
  .max(300)
  .transform((text, context) => {
    const url = URL.parse(text);
    if (url !== null && /^https?:$/.test(url.protocol) && url.href === `${url.origin}/` && !text.includes("*")) return url.origin;
    context.addIssue("an origin is like https://api.example.com or http://10.0.3.7:8000, with nothing behind it");
    return z.NEVER;
  });

/** A foreign engine's key with the origins that it may be sent to: whoever may publish a version can lead it nowhere else. */
export const EngineCredential = z.strictObject(
  {
    value: z
      .string()
      .max(CREDENTIAL_CHARS_MAX)
      .regex(/^[\x21-\x7e]+$/, "a key is visible ASCII, as a header can hold it"),
    origins: z.array(EngineOrigin).min(1, "a key must say where it may be sent to").max(CREDENTIAL_ORIGINS_MAX),
  },
  // Never with what was there: it is a secret.
  { error: (issue) => (issue.code === "invalid_type" ? CREDENTIAL_FORM : undefined) },
);
export type EngineCredential = z.infer<typeof EngineCredential>;

const CREDENTIAL_FORM =
  'must be {"value": "the key", "origins": ["https://api.example.com"]}: a key is sent to origins that are named, and to no others';

/** Reads a credential as an environment variable holds it; throws a sentence that names the variable, and nothing of what it holds. */
export function parseEngineCredential(name: string, text: string): EngineCredential {
  const parsed = EngineCredential.safeParse(jsonOf(text));
  if (parsed.success) return parsed.data;
  throw new Error(`${name}: ${parsed.error.issues.map(({ path, message }) => [...path, message].join(" ")).join("; ")}`);
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // the parser's words would quote it
  }
}

/** Which foreign engines an installation may call, as whoever deploys it has said. */
export type EngineRules = {
  /** Named one by one, wherever they lead; `*` is every one, for one machine and its tests. Beside them, https to public addresses. */
  readonly origins: "*" | readonly string[];
  readonly credentials: ReadonlyMap<string, EngineCredential>;
};

/** `named`: whoever deploys vouches for the origin. `public`: its name must lead to public addresses, each time that it is called. */
export type EngineReach = "named" | "public";

/**
 * Refuses an engine that may not be called, or not with this credential, as far as its URL says. Asked when it is published and when it is called: what
 * was published under other rules is not called under these.
 */
export function reachOfEngine({ origins, credentials }: EngineRules, { url: text, credential }: Upstream): EngineReach {
  const { origin } = new URL(text);
  const bound = credential === undefined ? undefined : credentials.get(credential);
  if (credential !== undefined && bound === undefined) throw refusal("credential", `the gateway's environment has no ${credential}`);
  if (bound !== undefined && !bound.origins.includes(origin)) {
    throw refusal("credential", `${credential} may be sent to ${bound.origins.join(", ")}, and not to ${origin}`);
  }
  if (origins === "*" || origins.includes(origin)) return "named";
  // Who binds a key to an origin has named the origin.
  if ([...credentials.values()].some((each) => each.origins.includes(origin))) return "named";
  try {
    assertTargetUrl(text, "public");
  } catch (cause) {
    throw targetRefusal(cause);
  }
  return "public";
}

/** The same by where its name leads now. A name may lead elsewhere later, so each connection is made to addresses that were checked for it. */
export async function checkEngineName(rules: EngineRules, upstream: Upstream, resolve: Resolve): Promise<void> {
  if (reachOfEngine(rules, upstream) === "named") return;
  try {
    await checkedAddresses(hostOf(new URL(upstream.url)), "public", resolve);
  } catch (cause) {
    throw targetRefusal(cause);
  }
}

/** What is said of a target, said of a publication's field, with what helps. */
function targetRefusal(cause: unknown): unknown {
  if (!(cause instanceof Failure)) return cause;
  return refusal("url", `${cause.message.replace(/^url: /, "")}, or its origin be named in WEIR_ENGINE_ORIGINS`);
}

function refusal(field: "url" | "credential", why: string): Failure {
  return new Failure("invalid_request", `upstream.${field}: ${why}.`, { field: `upstream.${field}` });
}
