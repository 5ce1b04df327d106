import { Failure } from "../../base/failure.ts";
import type { Drift, Dtype } from "../../models/version.ts";
import { checkRows } from "../runtime/forward.ts";
import { firstLogits } from "./first-logits.ts";
import { loadModel, type Model } from "./model.ts";
import type { SessionOptions } from "./session.ts";

/** Short and long, plain and strange: what quantising does to a model depends on the text. */
const GOLDEN_TEXTS = [
  "Weir checks this model: 1, 2, 3.",
  "The quick brown fox jumps over the lazy dog, and nobody in London was surprised.",
  "I am not sure whether this is what I ordered, but I will keep it anyway; thank you very much!",
  "大型语言模型 – naïve café",
  "a",
];

/**
 * How far the other variants of a folder are from the placed one, on the same golden inputs: the largest difference of any number, and the smallest
 * cosine of a row (a vector, or logits). A variant that cannot be loaded or run is recorded with its reason: it is not what was asked for.
 */
export async function compareVariants(folder: string, placed: Dtype, options: SessionOptions): Promise<Drift[]> {
  const { rows, dtypes } = await goldenRows(folder, placed, options);
  const drifts: Drift[] = [];
  for (const dtype of dtypes) {
    if (dtype === placed) continue;
    drifts.push(
      await goldenRows(folder, dtype, options).then(
        (other) => ({ dtype, ...driftBetween(rows, other.rows) }),
        (error: unknown) => ({ dtype, ...UNKNOWN, error: reasonOf(error) }),
      ),
    );
  }
  return drifts;
}

/** Of a variant that gives no numbers at all. */
const UNKNOWN = { deltaMax: 0, cosineMin: 0 };

async function goldenRows(folder: string, dtype: Dtype, options: SessionOptions) {
  const model = await loadModel(folder, dtype, options);
  try {
    return { rows: await rowsOf(model), dtypes: model.facts.dtypes };
  } finally {
    await model.dispose();
  }
}

async function rowsOf(model: Model): Promise<Float32Array[]> {
  const texts = GOLDEN_TEXTS.map((text) => ({ kind: "text", text }) as const);
  const inputs = await model.coder.encode(texts, { overlong: "cut" });
  if (model.facts.head !== "generate") {
    const rows = await model.forward(inputs);
    checkRows(rows);
    return rows.flatMap(({ values, width }) => slicesOf(values, width));
  }
  const rows: Float32Array[] = [];
  for (const { ids } of inputs) rows.push(await firstLogits(model, ids));
  return rows;
}

function slicesOf(values: Float32Array, width: number): Float32Array[] {
  return Array.from({ length: values.length / width }, (_, row) => values.subarray(row * width, (row + 1) * width));
}

function driftBetween(rows: readonly Float32Array[], others: readonly Float32Array[]): Pick<Drift, "deltaMax" | "cosineMin"> {
  let [deltaMax, cosineMin] = [0, 1];
  rows.forEach((row, index) => {
    const other = others[index];
    if (other?.length !== row.length) throw new Failure("invalid_request", "Its graph answers with another shape.");
    deltaMax = row.reduce((most, value, at) => Math.max(most, Math.abs(value - (other[at] ?? 0))), deltaMax);
    cosineMin = Math.min(cosineMin, cosineOf(row, other));
  });
  return { deltaMax, cosineMin };
}

function cosineOf(a: Float32Array, b: Float32Array): number {
  const dot = (one: Float32Array, other: Float32Array) => one.reduce((sum, value, at) => sum + value * (other[at] ?? 0), 0);
  const lengths = Math.sqrt(dot(a, a) * dot(b, b));
  return lengths === 0 ? 1 : dot(a, b) / lengths;
}

function reasonOf(error: unknown): string {
  if (error instanceof Failure) return error.message;
  throw error;
}
