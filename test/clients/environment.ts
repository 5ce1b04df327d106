import { createHash } from "node:crypto";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { run } from "./run.ts";

/** npm's own place for caches: ignored by git, and gone with `npm ci`. */
const CACHE = fileURLToPath(new URL("../../node_modules/.cache", import.meta.url));
const PROBE_TIMEOUT_MS = 30_000;
const MAKE_TIMEOUT_MS = 120_000;
const INSTALL_TIMEOUT_MS = 900_000;
/** What the clients want, and Debian's python3 has its venv in a package of its own. */
const PROBE = "import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 10))";

/** Whether this machine has a Python that can make a virtual environment for the clients. */
export async function hasPython(): Promise<boolean> {
  const probed = run({ command: "python3", args: ["-c", PROBE], timeoutMs: PROBE_TIMEOUT_MS });
  return probed.then(
    ({ exitCode }) => exitCode === 0,
    () => false, // there is no python3
  );
}

/** The folder of an environment's programs, with its packages in their pinned versions; made anew only when the versions change. */
export async function makeEnvironment({ name, requirements }: { name: string; requirements: URL }): Promise<string> {
  const digest = createHash("sha256")
    .update(await readFile(requirements))
    .digest("hex");
  const folder = join(CACHE, name);
  const [marker, programs] = [join(folder, "installed"), join(folder, "bin")];
  if ((await readFile(marker, "utf8").catch(() => "")) === digest) return programs;
  await rm(folder, { recursive: true, force: true });
  console.log(`installing what ${fileURLToPath(requirements)} names`);
  await step("python3", ["-m", "venv", folder], MAKE_TIMEOUT_MS);
  const options = ["--quiet", "--disable-pip-version-check", "--no-input"];
  await step(join(programs, "python"), ["-m", "pip", "install", ...options, "-r", fileURLToPath(requirements)], INSTALL_TIMEOUT_MS);
  // Written last: an installation that was cut off is not taken for one.
  await writeFile(marker, digest);
  return programs;
}

async function step(command: string, args: readonly string[], timeoutMs: number) {
  const { exitCode } = await run({ command, args, environment: settingsOfPip(), timeoutMs });
  if (exitCode !== 0) throw new Error(`${[command, ...args].join(" ")} ended with ${exitCode}`);
}

/** Where packages come from, and what is cached of them, is this machine's business. */
function settingsOfPip(): Record<string, string> {
  const names = Object.keys(process.env).filter((name) => /^(PIP_\w+|HOME|XDG_\w+|SSL_CERT_\w+|(https?|no|all)_proxy)$/i.test(name));
  return Object.fromEntries(names.map((name) => [name, process.env[name] ?? ""]));
}
