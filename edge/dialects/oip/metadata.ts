import * as z from "zod";
import packageJson from "../../../package.json" with { type: "json" };
import { PageQuery } from "../../../shared/base/page.ts";
import type { ReadyVersion } from "../../../shared/models/version.ts";
import type { Deps } from "../../deps.ts";
import type { EdgeContext } from "../../env.ts";
import { checked } from "../../http.ts";
import { nativeVersionOf, poolOf } from "../../serve/serve.ts";
import { referenceOf } from "./reference.ts";
import { inputsOf, outputsOf, TensorMetadata } from "./tensors.ts";

export const ServerMetadata = z
  .object({ name: z.string(), version: z.string(), extensions: z.array(z.string()) })
  .meta({ id: "ServerMetadata" });

export const ModelNames = z.object({ models: z.array(z.string()), nextCursor: z.string().optional() }).meta({ id: "ModelNames" });

export const ModelMetadata = z
  .object({
    name: z.string(),
    versions: z.array(z.string()),
    platform: z.string(),
    inputs: z.array(TensorMetadata),
    outputs: z.array(TensorMetadata),
    properties: z.record(z.string(), z.string()).meta({ description: "`labels`: the head's labels in the order of `scores`, as JSON" }),
  })
  .meta({ id: "ModelMetadata" });

export const ModelReady = z.object({ name: z.string(), ready: z.literal(true) }).meta({ id: "ModelReady" });

const SERVER: z.infer<typeof ServerMetadata> = { name: "weir", version: packageJson.version, extensions: ["parameters"] };

/** `GET /v2` */
export function answerServer() {
  return (c: EdgeContext) => c.json(SERVER);
}

/** `GET /v2/models`, which KServe has: the models that can be called here. Foreign engines are under `/v1` only. */
export function answerModelNames(deps: Deps) {
  return async function answerModelNames(c: EdgeContext) {
    const { items, nextCursor } = await deps.catalog.list(c.get("principal").tenant, checked(c.req.query(), PageQuery));
    const models = items.filter(({ live }) => live.state === "ready").map(({ model }) => model.body.name);
    return c.json({ models, ...(nextCursor === undefined ? {} : { nextCursor }) } satisfies z.infer<typeof ModelNames>);
  };
}

/** `GET /v2/models/{m}[/versions/{v}]` */
export function answerModel(deps: Deps) {
  return async function answerModel(c: EdgeContext) {
    const version = await versionOf(deps, c);
    const all = await deps.catalog.versionsOf({ reference: version.model, tenant: c.get("principal").tenant });
    const { labels } = version.facts;
    return c.json({
      name: version.model,
      versions: all.map(({ number }) => String(number)).reverse(),
      platform: "onnx_onnxv1",
      inputs: inputsOf(version),
      outputs: outputsOf(version),
      properties: labels === undefined ? {} : { labels: JSON.stringify(labels) },
    } satisfies z.infer<typeof ModelMetadata>);
  };
}

/** `GET /v2/models/{m}[/versions/{v}]/ready`: a model that does not exist is not found, one whose pool is not here is not ready. */
export function answerModelReady(deps: Deps) {
  return async function answerModelReady(c: EdgeContext) {
    const version = await versionOf(deps, c);
    poolOf(deps, version);
    return c.json({ name: version.model, ready: true } satisfies z.infer<typeof ModelReady>);
  };
}

async function versionOf(deps: Deps, c: EdgeContext): Promise<ReadyVersion> {
  const { tenant, keyId } = c.get("principal");
  return nativeVersionOf(await deps.catalog.resolve({ reference: referenceOf(c), tenant, unit: `${tenant}\n${keyId}` }));
}
