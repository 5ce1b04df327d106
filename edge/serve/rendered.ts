import type { EdgeContext } from "../env.ts";
import { answer, tell } from "../http.ts";
import type { Served } from "./serve.ts";

/** A whole answer as a dialect has written it, before any compression. */
export type Rendered = {
  readonly body: string | Uint8Array;
  readonly contentType: string;
  /** What belongs to this body, such as the length of its JSON. */
  readonly headers?: Readonly<Record<string, string>>;
};

export const jsonAnswer = (body: string): Rendered => ({ body, contentType: "application/json" });

/** How a dialect puts a whole body on the wire. */
export type Write = (c: EdgeContext, body: string | Uint8Array, contentType: string) => Response | Promise<Response>;

export const writePlainly: Write = (c, body, contentType) => answer(c, body, { contentType });

/** What every stream's headers say besides. */
export const STREAM_HEADERS = { "Cache-Control": "no-cache" } as const;

/** What the headers of an answer say of who served it. */
export function servedHeaders({ model, version, arm, tier, degraded }: Served): Record<string, string> {
  return {
    "Weir-Model": `${model}@${version}`,
    "Weir-Arm": arm,
    "Weir-Tier": tier,
    ...(degraded === undefined ? {} : { "Weir-Degraded": degraded }),
  };
}

export function tellAll(c: EdgeContext, headers: Readonly<Record<string, string>>) {
  for (const [name, value] of Object.entries(headers)) tell(c, name, value);
}
