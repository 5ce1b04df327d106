import { type Command, InvalidArgumentError, Option } from "commander";
import { Failure } from "../../shared/base/failure.ts";
import { everyItem } from "../../shared/clients/http.ts";
import { createModelsClient } from "../../shared/clients/models.ts";
import { type Published, publishFolder } from "../../shared/clients/publish.ts";
import { type Verification, verifyVersion } from "../../shared/clients/verify.ts";
import { fallbackNames, parseFallback } from "../../shared/models/fallback.ts";
import type { ModelRevision, VersionRevision } from "../../shared/models/publication.ts";
import { parseModelReference } from "../../shared/models/reference.ts";
import { Dtype, type Fallback, type Model, type Placement } from "../../shared/models/version.ts";
import type { CliContext } from "./context.ts";
import { megabytes, table } from "./output.ts";
import { showProgress } from "./progress.ts";
import { UsageError } from "./usage-error.ts";

type PublishOptions = { name: string; pool: string; dtype?: Dtype; fallback: Fallback[]; tenants?: Model["tenants"]; why?: string };
type UpstreamOptions = {
  engine: string;
  engineModel: string;
  credential?: string;
  continuousUsage?: true;
  tenants?: Model["tenants"];
  why?: string;
};

const FALLBACK_HELP = "what answers when the pool cannot: <pool>/<dtype>, or @<version>; again for more, asked in this order";
const WHY = ["--why <reason>", "kept in the history"] as const;

export function registerModelCommands(program: Command, context: CliContext) {
  const models = program.command("models").description("models and their versions");
  const client = () => createModelsClient(context.http());
  models
    .command("publish <folder>")
    .description("send a folder in the Hugging Face ONNX layout and make a version of it; run it again to resume")
    .requiredOption("--name <model>", "the model that it is a version of")
    .option("--pool <pool>", "where it runs", "cpu")
    .addOption(new Option("--dtype <dtype>", "which graph runs (default: fp32, or the only one there)").choices(Dtype.options))
    .addOption(new Option("--fallback <place>", FALLBACK_HELP).argParser(collectFallback).default([], "none"))
    .option("--tenants <ids>", "who may use the model, with commas between (default: everyone, or as it is)", parseTenants)
    .option(...WHY)
    .action(async (folder: string, { name, fallback: fallbacks, ...options }: PublishOptions) => {
      const progress = showProgress(context.output);
      const order = { folder, model: name, fallbacks, ...options };
      const published = await publishFolder(client(), order, progress.show).finally(progress.end);
      context.output.print(published, renderPublished);
    });
  registerUpstream(models, context);
  models
    .command("list")
    .description("list all models")
    .action(async () => {
      context.output.print(await everyItem(client().list), renderModels);
    });
  models
    .command("show <model>")
    .description("show a model's versions, or the one of `model@2` with its files")
    .action(async (reference: string) => {
      const asked = parseModelReference(reference);
      if (asked.kind === "version") return context.output.print(await client().version(asked.model, asked.number), renderVersion);
      const versions = await everyItem((page) => client().versions(asked.model, page));
      context.output.print({ ...(await client().show(asked.model)), versions }, (model) => renderVersions(model.versions, model.live));
    });
  models
    .command("verify <version>")
    .description("read every stored byte of a version such as `model@2` again and compare the digests; exit code 1 if one is wrong")
    .action(async (reference: string) => {
      const { model, number } = parseVersion(reference);
      const verification = await verifyVersion(client(), model, number);
      context.output.print(verification, renderVerification);
      if (!verification.isSound) throw new Failure("conflict", `${reference} is damaged in the store.`);
    });
}

function registerUpstream(models: Command, context: CliContext) {
  models
    .command("upstream <model>")
    .description("make a version of a foreign OpenAI-compatible engine")
    .requiredOption("--engine <url>", "its base URL, such as http://10.0.3.7:8000/v1")
    .requiredOption("--engine-model <name>", "what the engine calls the model")
    .option("--credential <variable>", "the gateway's environment variable with its key, WEIR_UPSTREAM_…")
    .option(
      "--continuous-usage",
      "it takes stream_options.continuous_usage_stats, as vLLM and SGLang do: cut streams are billed by its own counts",
    )
    .option("--tenants <ids>", "who may use the model, with commas between (default: everyone, or as it is)", parseTenants)
    .option(...WHY)
    .action(async (model: string, { engine, engineModel, credential, continuousUsage, ...options }: UpstreamOptions) => {
      const upstream = {
        ...{ url: engine, model: engineModel },
        ...(credential === undefined ? {} : { credential }),
        ...(continuousUsage === undefined ? {} : { tellsUsageThroughout: continuousUsage }),
      };
      context.output.print(await createModelsClient(context.http()).makeVersion(model, { upstream, ...options }), (version) =>
        renderVersions([version]),
      );
    });
}

function parseVersion(reference: string): { model: string; number: number } {
  const asked = parseModelReference(reference);
  if (asked.kind === "version") return asked;
  throw new UsageError(`'${reference}' names no version: write ${asked.model}@1`);
}

function collectFallback(text: string, others: readonly Fallback[]): Fallback[] {
  const fallback = parseFallback(text);
  if (fallback === undefined) throw new InvalidArgumentError("It must be a pool and a dtype such as cpu/q8, or a version such as @1.");
  return [...others, fallback];
}

function parseTenants(text: string): Model["tenants"] {
  const tenants = text.split(",").filter((tenant) => tenant !== "");
  if (tenants.length === 0) throw new InvalidArgumentError("It must be tenants' ids with commas between, or *.");
  return tenants.includes("*") ? "*" : tenants;
}

function renderPublished({ version, bytesSent }: Published): string {
  const sent = bytesSent === 0 ? "everything was there already" : `${megabytes(bytesSent)} MB sent`;
  return `${version.model}@${version.number} is ${version.state} (${sent})`;
}

function renderModels(models: readonly ModelRevision[]): string {
  return table(
    ["MODEL", "LIVE", "TENANTS", "CHANGED"],
    models.map(({ name, live, tenants, revision }) => [name, live ?? "-", tenants === "*" ? "everyone" : tenants.join(","), revision.at]),
  );
}

function renderVersions(versions: readonly VersionRevision[], live?: number): string {
  return table(
    ["VERSION", "STATE", "TASK", "RUNS", "MB", "CHANGED", ""],
    versions.map((version) => [
      `${version.model}@${version.number}`,
      version.number === live ? `${version.state}, live` : version.state,
      version.state === "ready" ? version.facts.head : "-",
      version.state === "upstream" ? version.upstream.url : placementText(version.placement),
      version.state === "upstream" ? "-" : megabytes(bytesOf(version.files)),
      version.revision.at,
      version.state === "rejected" ? version.reason : "",
    ]),
  );
}

function placementText(placement: Placement): string {
  return [`${placement.pool} ${placement.dtype}`, ...fallbackNames(placement)].join(", else ");
}

function renderVersion(version: VersionRevision): string {
  const files = version.state === "upstream" ? [] : version.files;
  const rows = files.map(({ path, bytes, sha256 }) => [path, bytes, sha256]);
  const { by, at, why } = version.revision;
  const parts = [renderVersions([version]), table(["FILE", "BYTES", "SHA-256"], rows), ...driftOf(version), `by ${by} at ${at}: ${why}`];
  return parts.join("\n\n");
}

/** How far the folder's other files are from the one that answers; nothing where there are none. */
function driftOf(version: VersionRevision): string[] {
  const drift = (version.state === "ready" && version.facts.drift) || [];
  const rows = drift.map(({ dtype, deltaMax, cosineMin, error }) =>
    error === undefined ? [dtype, deltaMax.toPrecision(2), cosineMin.toFixed(4), ""] : [dtype, "-", "-", error],
  );
  return rows.length === 0 ? [] : [table(["OTHER FILE", "MAX DELTA", "MIN COSINE", ""], rows)];
}

function renderVerification({ files }: Verification): string {
  return table(
    ["FILE", "BYTES", ""],
    files.map(({ path, bytes, isSound }) => [path, bytes, isSound ? "sound" : "DAMAGED"]),
  );
}

function bytesOf(files: readonly { bytes: number }[]): number {
  return files.reduce((sum, { bytes }) => sum + bytes, 0);
}
