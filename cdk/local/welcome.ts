import { relative } from "node:path";

export type Welcome = { readonly url: string; readonly key: string; readonly stateDir: string };

/** What a person reads when all is ready. Each curl line stands alone and works as it is printed. */
export function welcome({ url, key, stateDir }: Welcome): string {
  const state = relative(process.cwd(), stateDir) === ".weir" ? "" : `WEIR_STATE_DIR=${quoted(stateDir)} `;
  return `
Weir is ready at ${url}

Key of the tenant "demo":
${key}

An answer as it is written, an embedding, and the labels that fit a text best:
${curl(`${url}/v1/chat/completions`, key, { model: "smollm2", messages: [{ role: "user", content: QUESTION }], stream: true, temperature: 0 }, ["-N"])}
${curl(`${url}/v1/embeddings`, key, { model: "minilm", input: "A weir meters a river and splits it." })}
${curl(`${url}/hf/minilm`, key, { inputs: "The river is high after the rain.", parameters: { candidate_labels: ["weather", "sport", "money"] } })}

Operate it:        ${state}npx weir status
API description:   ${url}/docs
Stop it:           Ctrl-C (it starts again with all its data; deleting ${stateDir} resets it)
`;
}

const QUESTION = "What is the capital of France? Answer in one sentence.";

function curl(url: string, key: string, body: unknown, flags: readonly string[] = []): string {
  const headers = [`Authorization: Bearer ${key}`, "Content-Type: application/json"];
  return ["curl -sS", ...flags, url, ...headers.map((header) => `-H ${quoted(header)}`), `-d ${quoted(JSON.stringify(body))}`].join(" ");
}

/** For a POSIX shell. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
