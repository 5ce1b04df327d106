import { expect, test } from "vitest";
import { CloudConfig } from "../../cdk/config.ts";
import { cpuStage, edgeStage, gpuStage } from "./synthesise.ts";

const [cpuPool, gpuPool] = gpuStage.pools;
const edgePool = edgeStage.pools.at(-1);

test("stages in two Regions are accepted", () => {
  expect(CloudConfig.parse([cpuStage, { ...cpuStage, region: "eu-central-1" }])).toHaveLength(2);
});

test.each([
  ["a stage twice", [cpuStage, cpuStage]],
  ["two stages on the same tables", [cpuStage, { ...cpuStage, name: "test" }]],
  ["no stage", []],
  ["a pool's name twice", [{ ...cpuStage, pools: [cpuPool, cpuPool] }]],
  ["no pool", [{ ...cpuStage, pools: [] }]],
  ["an accelerator that AWS does not offer", [{ ...cpuStage, pools: [{ ...gpuPool, acceleratorMemoryGiB: 20 }] }]],
  ["an accelerator on a pool without GPUs", [{ ...cpuStage, pools: [{ ...cpuPool, acceleratorMemoryGiB: 24 }] }]],
  ["more memory than Lambda gives", [{ ...cpuStage, pools: [{ ...cpuPool, memoryMiB: 10_241 }] }]],
  [
    "a certificate that CloudFront cannot read",
    [{ ...gpuStage, domain: { ...gpuStage.domain, certificateArn: "arn:aws:acm:eu-central-1:1:c" } }],
  ],
  ["a second edge pool in one gateway", [{ ...edgeStage, pools: [...edgeStage.pools, { ...edgePool, name: "edge-2" }] }]],
  ["more threads than a Web Function has vCPUs", [{ ...edgeStage, pools: [{ ...edgePool, threads: 3 }] }]],
  ["more memory for the edge tier than a Web Function can spare", [{ ...edgeStage, pools: [{ ...edgePool, memoryMiB: 1024 }] }]],
  ["a misspelt setting", [{ ...cpuStage, tabelPrefix: "weir" }]],
])("%s is refused", (_, stages) => {
  expect(CloudConfig.safeParse(stages).success).toBe(false);
});
