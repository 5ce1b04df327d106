import { ScanCommand } from "@aws-sdk/client-dynamodb";
import { compose } from "../../edge/compose.ts";
import { readConfig } from "../../edge/config.ts";
import type { Deps } from "../../edge/deps.ts";
import { startServer } from "../../edge/server.ts";
import { systemIds } from "../../shared/base/id.ts";
import type { SdkDynamo } from "../../shared/dynamo/sdk.ts";
import type { Scope } from "../../shared/keys/key.ts";
import type { RequestRate, TenantLimits } from "../../shared/limits/policy.ts";
import type { Log } from "../../shared/log/log.ts";
import type { Placement, Upstream, Version, VersionFacts } from "../../shared/models/version.ts";
import { reshare, type Share } from "../../shared/routing/split.ts";
import { VOID_SUFFIX } from "../../shared/usage/ledger/wire-row.ts";
import { Tier } from "../../shared/usage/row.ts";
import { type StoppedClock, stopClock } from "./clock.ts";
import { startDynamo } from "./dynamo.ts";
import { CHANGE, storeKey, storeTenant } from "./gateway.ts";
import { PROMPT_TOKENS_MAX } from "./generation-double.ts";
import { createModelDouble, DIMENSIONS, LABELS, type ModelDouble, TOKENS_MAX } from "./model-double.ts";
import { type StoreValve, startStoreValve } from "./store-valve.ts";

/** An item of the ledger, attribute by attribute. */
export type LedgerItem = Readonly<Record<string, string>>;

/** A gateway that listens, with models to call: everything is real but the pool, and the store's faults are ours to make. */
export type Serving = {
  readonly url: string;
  readonly deps: Deps;
  /** Stopped, so that limits and caches move only when a test says so. */
  readonly clock: StoppedClock;
  readonly store: StoreValve;
  /** Straight to the engine behind that valve. */
  readonly dynamo: SdkDynamo;
  /** The pool `cpu`, where versions are placed unless said. */
  readonly model: ModelDouble;
  /** The pools `gpu` and `edge`. */
  readonly gpu: ModelDouble;
  readonly edge: ModelDouble;
  /** What the gateway has logged. */
  readonly logged: { readonly level: string; readonly message: string }[];
  /** Of tenant `acme`, which may infer and see its usage. */
  readonly key: string;
  readonly makeKey: (tenant: string, ...scopes: Scope[]) => Promise<string>;
  readonly makeTenant: (id: string, rate: RequestRate, limits?: TenantLimits) => Promise<void>;
  readonly revoke: (key: string) => Promise<void>;
  /** Makes the next version of a model, and the model if there is none; the first version gets all traffic. */
  readonly addVersion: (model: string, body: NewVersion) => Promise<void>;
  readonly setShares: (model: string, shares: readonly Share[]) => Promise<void>;
  /** POSTs JSON (or bytes as they are) with the tenant's key unless the headers say otherwise. */
  readonly post: (path: string, body: unknown, headers?: Record<string, string>) => Promise<Response>;
  readonly get: (path: string, headers?: Record<string, string>) => Promise<Response>;
  /** What counts in the ledger and has come into it since this was last asked: settled rows, and markers that void them. */
  readonly newRows: () => Promise<LedgerItem[]>;
  /** The whole ledger, with rows that are pending or void. */
  readonly ledgerItems: () => Promise<LedgerItem[]>;
  /** Ends the gateway as SIGTERM does; the store stays to be looked at. */
  readonly drain: () => Promise<void>;
  readonly close: () => Promise<void>;
};

export type NewVersion =
  | { readonly facts: VersionFacts; readonly tenants?: string[]; readonly placement?: Placement }
  | { readonly upstream: Upstream; readonly tenants?: string[] };

/** Of what the double computes with bare tensors. */
const GRAPH = {
  inputs: ["input_ids", "attention_mask"].map((name) => ({ name, type: "int64", dims: [-1, -1] })),
  outputs: [{ name: "logits", type: "float32", dims: [-1, LABELS.length] }],
};

export const EMBED: VersionFacts = { head: "embed", family: "bert", tokensMax: TOKENS_MAX, dimensions: DIMENSIONS, dtypes: ["fp32"] };
export const CLASSIFY: VersionFacts = {
  head: "classify",
  family: "bert",
  tokensMax: TOKENS_MAX,
  labels: LABELS,
  dtypes: ["fp32"],
  graph: GRAPH,
};
export const GENERATE: VersionFacts = { head: "generate", family: "gpt2", tokensMax: PROMPT_TOKENS_MAX, chats: true, dtypes: ["fp32"] };

/** Starts with `minilm` (embed, versions 1 and 2, all traffic on 1), `sentiment` (classify), `smol` (generate) and `hidden`, which only `globex` may see. */
export async function startServing(environment: Readonly<Record<string, string>> = {}): Promise<Serving> {
  const dynamo = await startDynamo();
  const store = await startStoreValve(dynamo.endpoint);
  const clock = stopClock();
  const [gpu, model, edge] = [createModelDouble(), createModelDouble(), createModelDouble()];
  const logged: { level: string; message: string }[] = [];
  const log: Log = (level, message) => logged.push({ level, message });
  const composition = compose(configFor({ ...environment, WEIR_DYNAMO_ENDPOINT: store.endpoint }), { clock, log, ids: systemIds });
  const pools = new Map(
    Object.entries({ gpu, cpu: model, edge }).map(([name, client]) => [name, { name, tier: Tier.parse(name), client }] as const),
  );
  const deps = { ...composition.deps, pools };
  const server = await startServer({ ...composition, deps }, { host: "127.0.0.1", port: 0 });
  const url = `http://127.0.0.1:${server.port}`;
  const addVersion = (name: string, version: NewVersion) => storeVersion(deps, name, version);
  await addVersion("minilm", { facts: EMBED });
  await addVersion("minilm", { facts: EMBED });
  await addVersion("sentiment", { facts: CLASSIFY });
  await addVersion("smol", { facts: GENERATE });
  await addVersion("hidden", { facts: EMBED, tenants: ["globex"] });
  const key = await storeKey(deps, "acme", ["infer", "usage"]);
  return {
    ...{ url, deps, clock, store, dynamo: dynamo.dynamo, model, gpu, edge, logged, key, addVersion },
    makeKey: (tenant, ...scopes) => storeKey(deps, tenant, scopes),
    makeTenant: (id, rate, limits) => storeTenant(deps, { id, rate, limits }),
    revoke: (text) => revoke(deps, text),
    setShares: (name, shares) => setShares(deps, name, shares),
    post: (path, body, headers) => post(url + path, body, { authorization: `Bearer ${key}`, ...headers }),
    get: (path, headers) => fetch(url + path, { headers: { authorization: `Bearer ${key}`, ...headers } }),
    newRows: rowReader(dynamo.dynamo),
    ledgerItems: () => readLedger(dynamo.dynamo),
    drain: () => server.drain(),
    close: async () => {
      store.turn("open");
      await server.drain();
      await store.close();
      await dynamo.close();
    },
  };
}

function configFor(environment: Readonly<Record<string, string>>) {
  return readConfig({
    AWS_REGION: "eu-central-1",
    WEIR_PEPPERS: JSON.stringify({ 1: "a pepper for tests only" }),
    WEIR_POOLS: "[]",
    WEIR_INTAKE: JSON.stringify({ kind: "http", url: "http://127.0.0.1:9" }),
    WEIR_ENGINE_ORIGINS: '"*"',
    WEIR_RECEIPT_KEYS: JSON.stringify({ 1: "a text that receipt keys are made of" }),
    ...environment,
  });
}

async function storeVersion({ control }: Deps, model: string, made: NewVersion) {
  const number = (await control.versions.list(model, { limit: 100 })).items.length + 1;
  if (number === 1) await control.models.append(model, 0, { body: { name: model, tenants: made.tenants ?? "*" }, change: CHANGE });
  await control.versions.append(versionOf(model, number, made), 0, CHANGE);
  if (number === 1)
    await control.splits.append(model, 0, { body: reshare(model, undefined, [{ version: 1, shareBps: 10_000 }]), change: CHANGE });
}

function versionOf(model: string, number: number, made: NewVersion): Version {
  const base = { model, number, contentDigest: `content of ${model} ${number}` };
  if ("upstream" in made) return { ...base, state: "upstream", upstream: made.upstream };
  const files = [{ path: "config.json", bytes: 2, sha256: "0".repeat(64) }];
  const placement = made.placement ?? ({ pool: "cpu", dtype: "fp32" } as const);
  return { ...base, state: "ready", files, placement, facts: made.facts, manifestDigest: "0".repeat(64) };
}

async function setShares({ control }: Deps, model: string, shares: readonly Share[]) {
  const before = await control.splits.current(model);
  const body = reshare(model, before?.body, shares);
  await control.splits.append(model, before?.revision ?? 0, { body, change: CHANGE });
}

async function revoke({ control }: Deps, text: string) {
  const id = text.split("_")[3] ?? "";
  const before = await control.keys.current(id);
  if (before === undefined) throw new Error("no such key");
  await control.keys.append(id, before.revision, { body: { ...before.body, isRevoked: true }, change: CHANGE });
}

function post(url: string, body: unknown, headers: Record<string, string>): Promise<Response> {
  const isRaw = typeof body === "string" || body instanceof Uint8Array || body instanceof ReadableStream;
  const sent = isRaw ? (body as NonNullable<RequestInit["body"]>) : JSON.stringify(body); // none of these buffers is shared
  return fetch(url, { method: "POST", body: sent, headers: { "content-type": "application/json", ...headers }, duplex: "half" });
}

function rowReader(dynamo: SdkDynamo): () => Promise<LedgerItem[]> {
  const seen = new Set<string>();
  return async () => {
    const counting = (await readLedger(dynamo)).filter(({ st, sk = "" }) => st === "S" || sk.endsWith(VOID_SUFFIX));
    const fresh = counting.filter(({ sk = "" }) => !seen.has(sk));
    for (const { sk = "" } of fresh) seen.add(sk);
    return fresh;
  };
}

async function readLedger({ client }: SdkDynamo): Promise<LedgerItem[]> {
  const { Items = [] } = await client.send(new ScanCommand({ TableName: "weir-ledger", ConsistentRead: true }));
  return Items.map((item) => Object.fromEntries(Object.entries(item).map(([name, value]) => [name, value.S ?? value.N ?? ""])));
}
