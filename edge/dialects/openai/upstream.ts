import * as z from "zod";
import { Failure } from "../../../shared/base/failure.ts";
import type { UpstreamVersion } from "../../../shared/models/version.ts";
import type { Target } from "../../catalog.ts";
import type { Deps } from "../../deps.ts";
import type { EdgeContext } from "../../env.ts";
import { answer } from "../../http.ts";
import { type ProxyPlan, proxy } from "../../serve/proxy.ts";
import { tellAll } from "../../serve/rendered.ts";
import type { Call } from "../../serve/serve.ts";

export const ModelField = z.string().min(1).max(200);

type UpstreamTarget = Target & { readonly version: UpstreamVersion };

/** Whether the split chose a foreign engine, or one of our own pools answers. */
export function isUpstream(target: Target): target is UpstreamTarget {
  return target.version.state === "upstream";
}

/** What the body says that concerns the way to the engine. */
type InBody = {
  readonly model?: string | undefined;
  readonly stream?: boolean | null | undefined;
  readonly stream_options?: { readonly include_usage?: boolean | null | undefined } | null | undefined;
};

type Asked = Omit<ProxyPlan, "version" | "arm" | "hidesUsage" | "isStreamed"> & {
  readonly call: Call;
  readonly target: UpstreamTarget;
  readonly inBody: InBody;
};

/** Passes the request on under the engine's name for the model and answers what the engine answers. */
export async function proxyOpenai(deps: Deps, c: EdgeContext, { call, target, inBody, ...plan }: Asked): Promise<Response> {
  const body = forEngine(plan.body, inBody, target.version.upstream.model);
  const isStreamed = inBody.stream === true;
  const hidesUsage = isStreamed && inBody.stream_options?.include_usage !== true;
  const proxied = await proxy(deps, call, { ...plan, ...target, body, isStreamed, hidesUsage });
  tellAll(c, proxied.headers);
  return answer(c, proxied.body, proxied);
}

/** The body with the engine's name for the model, and a stream always with its usage: what was read must be metered, asked for or not. */
function forEngine(body: Uint8Array, { model: named, stream, stream_options }: InBody, model: string): Uint8Array {
  const changes = { model, ...(stream === true ? { stream_options: { ...stream_options, include_usage: true } } : {}) };
  // The very same bytes if nothing changes.
  if (named === model && (stream !== true || stream_options?.include_usage === true)) return body;
  const asked = JSON.parse(Buffer.from(body).toString()) as Record<string, unknown>; // the schema has seen that it is an object
  try {
    return Buffer.from(JSON.stringify({ ...asked, ...changes }));
  } catch (cause) {
    // What JSON.parse reads in a loop, JSON.stringify writes by recursion.
    if (cause instanceof RangeError) throw new Failure("invalid_request", "The body is nested too deeply.", { cause });
    throw cause;
  }
}
