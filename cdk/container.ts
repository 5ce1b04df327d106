import { fileURLToPath } from "node:url";
import type { Platform } from "aws-cdk-lib/aws-ecr-assets";
import { DockerImageCode } from "aws-cdk-lib/aws-lambda";

const REPOSITORY = fileURLToPath(new URL("..", import.meta.url));

export type ContainerName = "inference" | "intake";
export type ContainerBuild = { readonly platform: Platform; readonly buildArgs?: Record<string, string> };

/** The image of `functions/<name>/Dockerfile`. Of what `.dockerignore` lets through, other functions stay out: they would rebuild it for nothing. */
export function containerOf(name: ContainerName, build: ContainerBuild): DockerImageCode {
  return DockerImageCode.fromImageAsset(REPOSITORY, {
    assetName: `weir-${name}`,
    file: `functions/${name}/Dockerfile`,
    ...build,
    exclude: ["functions/*", `!functions/${name}`, "**/*.test.ts", "**/README.md"],
  });
}
