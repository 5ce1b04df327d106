import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod";
import { Failure } from "../../shared/base/failure.ts";
import { UsageError } from "./usage-error.ts";

/** Which gateway the command talks to, and as whom. */
export type CliSettings = { readonly url: string; readonly key: string };

export type SettingFlags = { readonly url?: string; readonly key?: string };

const Url = z.url({ protocol: /^https?$/ });
const OperatorFile = z.object({ url: Url, key: z.string().min(1) });

/** Options come first, then WEIR_URL and WEIR_KEY, then what `npm start` wrote for the operator of this machine. */
export function readSettings(flags: SettingFlags, environment: NodeJS.ProcessEnv = process.env): CliSettings {
  const url = flags.url ?? environment["WEIR_URL"];
  const key = flags.key ?? environment["WEIR_KEY"];
  if (url !== undefined && !Url.safeParse(url).success) throw new UsageError(`'${url}' is not a URL such as http://127.0.0.1:8787`);
  if (url !== undefined && key !== undefined) return { url, key };
  const path = join(environment["WEIR_STATE_DIR"] ?? ".weir", "operator.json");
  const file = readOperatorFile(path);
  if (file === undefined) {
    throw new UsageError(`no gateway to talk to: set WEIR_URL and WEIR_KEY, or run this where \`npm start\` made ${path}`);
  }
  // The operator's key is for the gateway that it was made for; it is not sent anywhere else.
  if (key === undefined && url !== undefined && new URL(url).origin !== new URL(file.url).origin) {
    throw new UsageError(`no key for ${url}: set WEIR_KEY (the one in ${path} is for ${file.url})`);
  }
  return { url: url ?? file.url, key: key ?? file.key };
}

function readOperatorFile(path: string): CliSettings | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return undefined;
    throw new Failure("forbidden", `${path} cannot be read: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
  try {
    return OperatorFile.parse(JSON.parse(text));
  } catch (cause) {
    throw new Failure("invalid_request", `${path} does not hold {"url","key"} as JSON; \`npm start\` writes it again`, { cause });
  }
}
