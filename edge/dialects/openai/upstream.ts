import * as z from "zod";
import { Failure } from "../../../shared/base/failure.ts";
import type { Upstream, UpstreamVersion } from "../../../shared/models/version.ts";
import type { Target } from "../../catalog.ts";
import type { Deps } from "../../deps.ts";
import type { EdgeContext } from "../../env.ts";
import { answer } from "../../http.ts";
import { type ProxyPlan, proxy } from "../../serve/proxy.ts";
import { tellAll } from "../../serve/rendered.ts";
import type { Call } from "../../serve/serve.ts";
import type { StreamTokens } from "../../serve/stream-usage.ts";
import type { ShownUsage } from "../../serve/upstream-stream.ts";

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
  readonly stream_options?: StreamOptions | null | undefined;
};

/** vLLM and SGLang tell their counts in every event if they are asked to. */
type StreamOptions = { readonly include_usage?: boolean | null | undefined; readonly continuous_usage_stats?: unknown };

type Asked = Omit<ProxyPlan, "version" | "arm" | "stream"> & {
  readonly call: Call;
  readonly target: UpstreamTarget;
  readonly inBody: InBody;
  /** What is known of a stream's tokens; absent, none is asked for. */
  readonly tokens?: Omit<StreamTokens, "isToldThroughout"> | undefined;
};

/** Passes the request on under the engine's name for the model and answers what the engine answers. */
export async function proxyOpenai(deps: Deps, c: EdgeContext, { call, target, inBody, tokens, ...plan }: Asked): Promise<Response> {
  const { upstream } = target.version;
  const isToldThroughout = upstream.tellsUsageThroughout === true;
  const stream = tokens && { tokens: { ...tokens, isToldThroughout }, shownUsage: shownUsage(inBody) };
  const proxied = await proxy(deps, call, { ...plan, ...target, body: forEngine(plan.body, inBody, upstream), stream });
  tellAll(c, proxied.headers);
  return answer(c, proxied.body, proxied);
}

function shownUsage({ stream_options: options }: InBody): ShownUsage {
  if (options?.include_usage !== true) return "none";
  return options.continuous_usage_stats === true ? "as it comes" : "at the end";
}

/** The body with the engine's name for the model, and a stream always with its usage: what was read must be metered, asked for or not. */
function forEngine(body: Uint8Array, { model: named, stream, stream_options: options }: InBody, upstream: Upstream): Uint8Array {
  const { model, tellsUsageThroughout } = upstream;
  const wanted: StreamOptions = { include_usage: true, ...(tellsUsageThroughout === true ? { continuous_usage_stats: true } : {}) };
  const isAsked = options?.include_usage === true && (options.continuous_usage_stats === true || tellsUsageThroughout !== true);
  // The very same bytes if nothing changes.
  if (named === model && (stream !== true || isAsked)) return body;
  const changes = { model, ...(stream === true ? { stream_options: { ...options, ...wanted } } : {}) };
  const asked = JSON.parse(Buffer.from(body).toString()) as Record<string, unknown>; // the schema has seen that it is an object
  try {
    return Buffer.from(JSON.stringify({ ...asked, ...changes }));
  } catch (cause) {
    // What JSON.parse reads in a loop, JSON.stringify writes by recursion.
    if (cause instanceof RangeError) throw new Failure("invalid_request", "The body is nested too deeply.", { cause });
    throw cause;
  }
}
