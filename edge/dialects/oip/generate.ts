import type { ReadyVersion } from "../../../shared/models/version.ts";
import type { Deps } from "../../deps.ts";
import type { EdgeContext } from "../../env.ts";
import { checked } from "../../http.ts";
import { answerServed, answerStreamed, callOf } from "../../serve/call.ts";
import { serveGeneration, streamGeneration } from "../../serve/generate.ts";
import { answerOnce } from "../../serve/once.ts";
import { jsonAnswer, writePlainly } from "../../serve/rendered.ts";
import { type Call, chooseTarget } from "../../serve/serve.ts";
import { answerCompressed, readPlainBody } from "./compression.ts";
import { type GenerateHead, generateStream, renderGenerate } from "./generate-answer.ts";
import { askGenerate, GenerateBody, inCallersWords } from "./generate-request.ts";
import { withinMsOf } from "./parameters.ts";
import { readFrame } from "./read-frame.ts";
import { referenceOf } from "./reference.ts";
import type { StatisticsKeeper } from "./statistics.ts";

/** `POST /v2/models/{m}[/versions/{v}]/generate`: one text for one text, as a whole. */
export function answerGenerate(deps: Deps, statistics: StatisticsKeeper) {
  return async function answerGenerate(c: EdgeContext) {
    const { asked, call } = await readCall(c);
    return answerOnce(deps, c, { call, write: answerCompressed, run: (once) => generate(deps, c, { call: once, asked, statistics }) });
  };
}

type Generating = { readonly call: Call; readonly asked: GenerateBody; readonly statistics: StatisticsKeeper };

async function generate(deps: Deps, c: EdgeContext, { call, asked, statistics }: Generating): Promise<Response> {
  const count = counterOf(deps, call, statistics);
  const served = await serveGeneration(deps, call, {
    target: await chooseTarget(deps, call),
    ask: (version) => count.accepted(version, askGenerate(version, asked)),
    render: (generation, version) =>
      jsonAnswer(JSON.stringify(renderGenerate(headOf(asked, version, call), generation, asked.parameters?.details === true))),
  }).catch((cause: unknown) => {
    count.failed();
    throw inCallersWords(cause);
  });
  count.answered();
  return answerServed(c, served, answerCompressed);
}

/** `POST …/generate_stream`: the same as server-sent events. The first decides the status; what fails later is said in-band. */
export function answerGenerateStream(deps: Deps, statistics: StatisticsKeeper) {
  return async function answerGenerateStream(c: EdgeContext) {
    const { asked, call } = await readCall(c);
    return answerOnce(deps, c, { call, write: writePlainly, run: (once) => stream(deps, c, { call: once, asked, statistics }) });
  };
}

async function stream(deps: Deps, c: EdgeContext, { call, asked, statistics }: Generating): Promise<Response> {
  const count = counterOf(deps, call, statistics);
  const streamed = await streamGeneration(deps, call, {
    target: await chooseTarget(deps, call),
    ask: (version) => count.accepted(version, askGenerate(version, asked)),
    renderer: (_request, version) => {
      const renderer = generateStream(headOf(asked, version, call), call.requestId);
      return {
        ...renderer,
        end: (ending) => {
          count.answered();
          return renderer.end(ending);
        },
        failed: (failure) => {
          count.failed();
          return renderer.failed(inCallersWords(failure));
        },
      };
    },
  }).catch((cause: unknown) => {
    count.failed();
    throw inCallersWords(cause);
  });
  return answerStreamed(c, streamed);
}

async function readCall(c: EdgeContext): Promise<{ asked: GenerateBody; call: Call }> {
  const body = await readPlainBody(c);
  const asked = checked(readFrame(body).json, GenerateBody);
  const withinMs = withinMsOf(asked.parameters?.timeout);
  return { asked, call: callOf(c, { dialect: "oip", reference: referenceOf(c), body, withinMs }) };
}

function headOf({ id }: GenerateBody, version: ReadyVersion, { requestId }: Call): GenerateHead {
  return { id: id ?? requestId, model_name: version.model, model_version: String(version.number) };
}

/** Counts a generation from the moment on that a version has accepted it. */
function counterOf(deps: Deps, { principal, acceptedAtMs }: Call, statistics: StatisticsKeeper) {
  let who: { tenant: string; model: string; version: number } | undefined;
  return {
    accepted<T>(version: ReadyVersion, request: T): T {
      who = { tenant: principal.tenant, model: version.model, version: version.number };
      return request;
    },
    answered() {
      const atMs = deps.clock.nowMs();
      if (who !== undefined) statistics.answered(who, { atMs, inputs: 1, totalMs: atMs - acceptedAtMs });
    },
    failed() {
      if (who !== undefined) statistics.failed(who, deps.clock.nowMs() - acceptedAtMs);
    },
  };
}
