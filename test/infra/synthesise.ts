import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { App, Validations } from "aws-cdk-lib";
import { AwsSolutionsChecks } from "cdk-nag";
import { type StageConfig, stageId } from "../../cdk/config.ts";
import { stages } from "../../cdk/stages.ts";
import { WeirStage } from "../../cdk/weir-stage.ts";
import { Template } from "./template.ts";

const { context } = JSON.parse(readFileSync(new URL("../../cdk.json", import.meta.url), "utf8"));
const [standard] = stages;
if (standard === undefined) throw new Error("cdk/stages.ts names no stage");

/** The stage that is checked in. */
export const cpuStage: StageConfig = standard;

/** The same with the one entry that adds GPUs, and with a domain. */
export const gpuStage: StageConfig = {
  ...standard,
  pools: [
    ...standard.pools,
    { name: "gpu", tier: "gpu", memoryMiB: 16_384, concurrency: 16, acceleratorMemoryGiB: 24, environmentsMin: 0, environmentsMax: 2 },
  ],
  domain: {
    name: "api.example.com",
    certificateArn: "arn:aws:acm:us-east-1:123456789012:certificate/01234567-89ab-cdef-0123-456789abcdef",
  },
};

/** The same with models in the gateway's own threads. */
export const edgeStage: StageConfig = {
  ...standard,
  pools: [...standard.pools, { name: "edge", tier: "edge", threads: 1, memoryMiB: 512 }],
};

const made = new Map<StageConfig, Template>();

/** A stage's template as `cdk synth` makes it, but without bundling and without validators; made once for each stage. */
export function templateOf(stage: StageConfig): Template {
  const template = made.get(stage) ?? Template.parse(synthesise(stage, "unchecked"));
  made.set(stage, template);
  return template;
}

/** Synthesises a stage with every validator of `cdk synth`; throws what they say if they refuse it. */
export function validate(stage: StageConfig): void {
  synthesise(stage, "validated");
}

function synthesise(stage: StageConfig, mode: "validated" | "unchecked"): unknown {
  const outdir = mkdtempSync(join(tmpdir(), "weir-infra-"));
  try {
    const builtinCloudFormationValidation = mode === "validated";
    const app = new App({ outdir, context: { ...context, "aws:cdk:bundling-stacks": [] }, builtinCloudFormationValidation });
    if (mode === "validated") Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
    const { stack } = new WeirStage(app, stage);
    return app
      .synth()
      .getNestedAssembly(`assembly-${stageId(stage)}`)
      .getStackArtifact(stack.artifactId).template;
  } finally {
    rmSync(outdir, { recursive: true });
  }
}
