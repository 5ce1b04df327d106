import { relative } from "node:path";

export type Welcome = { readonly url: string; readonly key: string; readonly stateDir: string };

/** What a person reads when all is ready. Each curl line stands alone and works as it is printed. */
export function welcome({ url, key, stateDir }: Welcome): string {
  const state = relative(process.cwd(), stateDir) === ".weir" ? "" : `WEIR_STATE_DIR=${quoted(stateDir)} `;
  return `
Weir is ready at ${url}

Key of the tenant "demo":
${key}

An embedding of a text, and its sentiment:
${curl(`${url}/v1/embeddings`, key, { model: "minilm", input: "A weir meters a river and splits it." })}
${curl(`${url}/hf/sentiment`, key, { inputs: "What a wonderful morning!" })}

Operate it:        ${state}npx weir status
API description:   ${url}/docs
Stop it:           Ctrl-C (it starts again with all its data; deleting ${stateDir} resets it)
`;
}

function curl(url: string, key: string, body: unknown): string {
  const headers = [`Authorization: Bearer ${key}`, "Content-Type: application/json"];
  return ["curl -sS", url, ...headers.map((header) => `-H ${quoted(header)}`), `-d ${quoted(JSON.stringify(body))}`].join(" ");
}

/** For a POSIX shell. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
