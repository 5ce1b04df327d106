import { Failure } from "../../base/failure.ts";
import type { Dtype } from "../../models/version.ts";
import type { EncodedInput } from "./coder.ts";
import { toFloat32 } from "./float16.ts";
import { type GraphHead, isBatchable } from "./heads.ts";
import type { ModelSettings, Pooling } from "./model-files.ts";
import type { PlannedInput, Rows } from "./plan.ts";
import { poolTokens } from "./pooling.ts";
import type { Session, Tensor, TensorShape } from "./session.ts";

export type ForwardSettings = {
  readonly head: GraphHead;
  readonly padId: number;
  /** Where positions begin, for graphs that want to be told them. */
  readonly firstPosition: number;
  readonly poolings: readonly Pooling[];
  /** Whether inputs may share a run; see `isBatchable`. */
  readonly isBatched: boolean;
};

/** An output as float32, row-major. */
type Output = { readonly values: Float32Array; readonly dims: readonly number[] };

const INT32_PER_INT64 = 2;

/** How a graph's inputs run; once per session. */
export function forwardSettingsOf(head: GraphHead, settings: ModelSettings, dtype: Dtype): ForwardSettings {
  const { padId, firstPosition, poolings } = settings;
  return { head, padId, firstPosition, poolings, isBatched: isBatchable(dtype, head, settings) };
}

/**
 * Computes the rows of each input, in order: as one batch, padded on the right to the longest, or one by one. Each input's rows have memory of
 * their own, so that they can be handed to another thread. They may hold numbers that are none: that is for `checkRows`, request by request.
 */
export async function forward(session: Session, inputs: readonly PlannedInput[], settings: ForwardSettings): Promise<Rows[]> {
  if (inputs.length === 0) return [];
  if (settings.isBatched) return forwardBatch(session, inputs, settings);
  const rows: Rows[] = [];
  for (const input of inputs) rows.push(...(await forwardBatch(session, [input], settings)));
  return rows;
}

/** Numbers that are none (float16 overflows) are `engine_failed`, not an answer; and nobody else's failure, whoever shared the batch. */
export function checkRows(rows: readonly Rows[]): void {
  if (!rows.every(({ values }) => values.every(Number.isFinite)))
    throw new Failure("engine_failed", "The model computed numbers that are not finite.");
}

async function forwardBatch(session: Session, inputs: readonly PlannedInput[], settings: ForwardSettings): Promise<Rows[]> {
  const { outputs: names, holds } = settings.head;
  const tensors = await session.run(feedsOf(session.inputs, inputs, settings), Object.fromEntries(names.map((name) => [name, undefined])));
  const outputs = names.map((name) => outputOf(tensors[name], name));
  const shape = { rows: inputs.length, tokens: longestOf(inputs) };
  for (const output of outputs) checkShape(output, shape, holds);
  return inputs.map((input, row) => rowsOf(outputs, { input, row, ...shape }, settings));
}

/** One input's place in a padded batch. */
type Place = { readonly input: PlannedInput; readonly row: number; readonly rows: number; readonly tokens: number };

function rowsOf(outputs: readonly Output[], place: Place, { head, poolings }: ForwardSettings): Rows {
  const [first] = outputs;
  if (first === undefined) throw new Error("a head has at least one output");
  const { input, row, rows, tokens } = place;
  const size = first.values.length / rows;
  const own = first.values.subarray(row * size, (row + 1) * size);
  switch (head.holds) {
    case "rows":
      return { values: own.slice(), width: size };
    case "pooled":
      return poolTokens(own.subarray(0, (size / tokens) * input.ids.length), input.ids.length, poolings);
    case "tokens":
      return tokenRows(outputs, place, input.keep ?? Int32Array.from(input.ids.keys()));
  }
}

/** The rows of some of an input's tokens; where several outputs answer, their elements stand side by side. */
function tokenRows(outputs: readonly Output[], { row, rows, tokens }: Place, kept: Int32Array): Rows {
  const widths = outputs.map(({ values }) => values.length / (rows * tokens));
  const width = widths.reduce((sum, each) => sum + each, 0);
  const result = new Float32Array(kept.length * width);
  kept.forEach((token, at) => {
    let offset = at * width;
    outputs.forEach(({ values }, index) => {
      const each = widths[index] ?? 0;
      const start = (row * tokens + token) * each;
      result.set(values.subarray(start, start + each), offset);
      offset += each;
    });
  });
  return { values: result, width };
}

const longestOf = (inputs: readonly EncodedInput[]) => inputs.reduce((longest, { ids }) => Math.max(longest, ids.length), 0);

function feedsOf(wanted: readonly TensorShape[], inputs: readonly EncodedInput[], filling: Filling): Record<string, Tensor> {
  const dims = [inputs.length, longestOf(inputs)];
  return Object.fromEntries(wanted.map(({ name, type }) => [name, feedOf({ name, type, dims }, inputs, filling)]));
}

type Wanted = { readonly name: string; readonly type: TensorShape["type"]; readonly dims: readonly number[] };

function feedOf({ name, type, dims }: Wanted, inputs: readonly EncodedInput[], filling: Filling): Tensor {
  const [count = 0, length = 0] = dims;
  const fill = FILLS[name];
  if (fill === undefined) throw new Error(`intake accepted a graph that wants ${name}`);
  const isLong = type === "int64";
  const data = isLong ? new BigInt64Array(count * length) : new Int32Array(count * length);
  // Non-negative numbers, written as the lower halves of little-endian 64 bits: a BigInt per token would cost more than the rest of it.
  const halves = new Int32Array(data.buffer);
  const row = new Int32Array(length);
  inputs.forEach((input, index) => {
    fill(row, input, filling);
    if (isLong) for (let at = 0; at < length; at += 1) halves[(index * length + at) * INT32_PER_INT64] = row[at] ?? 0;
    else halves.set(row, index * length);
  });
  return { type, data, dims };
}

type Filling = Pick<ForwardSettings, "padId" | "firstPosition">;

const FILLS: Readonly<Record<string, (row: Int32Array, input: EncodedInput, filling: Filling) => void>> = {
  input_ids: (row, { ids }, { padId }) => row.fill(padId).set(ids),
  attention_mask: (row, { ids }) => row.fill(0).fill(1, 0, ids.length),
  token_type_ids: (row, { typeIds }) => row.fill(0).set(typeIds),
  // Padding is on the right, where no position of the text depends on it.
  position_ids: (row, _, { firstPosition }) =>
    row.forEach((_, at) => {
      row[at] = firstPosition + at;
    }),
};

function outputOf(tensor: Tensor | undefined, name: string): Output {
  const values = tensor && toFloat32(tensor);
  if (tensor === undefined || values === undefined)
    throw new Failure("engine_failed", `The graph's output ${name} is ${tensor?.type ?? "missing"}, not float.`);
  return { values, dims: tensor.dims };
}

function checkShape({ values, dims }: Output, { rows, tokens }: { rows: number; tokens: number }, holds: GraphHead["holds"]): void {
  const isWhole = values.length === dims.reduce((product, dim) => product * dim, 1);
  const fits = dims[0] === rows && (holds === "rows" || dims[1] === tokens);
  if (!fits || !isWhole || values.length === 0)
    throw new Failure("engine_failed", `The graph answered with the shape [${dims}] for ${rows} inputs of ${tokens} tokens.`);
}
