import { Failure } from "../../base/failure.ts";
import { decoderConfigOf, readDecoder } from "../runtime/generate/decoder.ts";
import { capacityFor, createLane, resizeLane } from "../runtime/generate/lane.ts";
import { checkLogits } from "../runtime/generate/logprobs.ts";
import { logitsAt, runRows } from "../runtime/generate/run.ts";
import type { Model } from "./model.ts";

/** The logits of a prompt's next token, by one run of a decoder with an empty cache: for intake, which compares the variants of a folder by them. */
export async function firstLogits({ session, settings }: Pick<Model, "session" | "settings">, ids: Int32Array): Promise<Float32Array> {
  const lane = createLane(readDecoder(session, decoderConfigOf(settings)));
  resizeLane(lane, { rows: 1, capacity: capacityFor(ids.length) });
  lane.rows = 1;
  const logits = await runRows("packed", { lane, first: 0, lengths: [0], tokens: [ids], logits: "last" });
  if (logits === undefined) throw new Failure("engine_failed", "The graph gives no logits.");
  const last = logitsAt(logits, 0, 1);
  checkLogits(last);
  return last.slice();
}
