import { z } from "zod";
import type { UpstreamVersion } from "../../../shared/models/version.ts";
import type { Target } from "../../catalog.ts";
import type { Deps } from "../../deps.ts";
import type { EdgeContext } from "../../env.ts";
import { answer, tell } from "../../http.ts";
import { sayServed } from "../../serve/call.ts";
import { type ProxyPlan, proxy } from "../../serve/proxy.ts";
import type { Call } from "../../serve/serve.ts";

export const ModelField = z.string().min(1).max(200);

type UpstreamTarget = Target & { readonly version: UpstreamVersion };

/** Whether the split chose a foreign engine, or one of our own pools answers. */
export function isUpstream(target: Target): target is UpstreamTarget {
  return target.version.state === "upstream";
}

type Asked = Omit<ProxyPlan, "version" | "arm"> & { readonly call: Call; readonly target: UpstreamTarget };

/** Passes the request on under the engine's name for the model and answers what the engine answers. */
export async function proxyOpenai(deps: Deps, c: EdgeContext, { call, target, ...plan }: Asked): Promise<Response> {
  const body = renamed(plan.body, call.reference, target.version.upstream.model);
  const proxied = await proxy(deps, call, { ...plan, ...target, body });
  sayServed(c, proxied);
  if (proxied.retryAfter !== undefined) tell(c, "Retry-After", proxied.retryAfter);
  return answer(c, proxied.body, proxied);
}

/** The body with the engine's name for the model; the very same bytes if the names are equal. */
function renamed(body: Uint8Array, reference: string, model: string): Uint8Array {
  if (reference === model) return body;
  const asked = JSON.parse(Buffer.from(body).toString()) as Record<string, unknown>; // the schema has seen that it is an object
  return Buffer.from(JSON.stringify({ ...asked, model }));
}
