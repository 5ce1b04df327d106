import { expect, test } from "vitest";
import { texts } from "../../shared/clients/oip-tensors.ts";
import { dataIn, type Inferred, renderInferred } from "./inferred.ts";

const KNOWN = { labels: ["NEGATIVE", "POSITIVE"], documents: ["a bank", "a river"] };

const inferred = (task: string, outputs: Inferred["outputs"]): Inferred => ({ task, model: "m@2", arm: "stable", tier: "cpu", outputs });
const linesOf = (task: string, outputs: Inferred["outputs"]) => renderInferred(inferred(task, outputs), KNOWN).split("\n\nserved by ")[0];

test("it says who served, and why a fallback did", () => {
  expect(renderInferred(inferred("embed", { embedding: [0.5] }), KNOWN)).toMatch(/served by m@2, arm stable, tier cpu$/);
  expect(renderInferred({ ...inferred("embed", { embedding: [0.5] }), degraded: "gpu open" }, KNOWN)).toMatch(/degraded: gpu open$/);
});

test.each<[task: string, Inferred["outputs"], string]>([
  ["embed", { embedding: Array(9).fill(0.5) }, `9 dimensions: ${Array(8).fill("0.5000").join(" ")} … (--json shows all)`],
  ["classify", { scores: [0.25, 0.75], label: ["POSITIVE"] }, "LABEL      SCORE\nPOSITIVE  0.7500\nNEGATIVE  0.2500"],
  ["zero-shot", { labels: ["film", "travel"], scores: [0.9, 0.1] }, "LABEL    SCORE\nfilm    0.9000\ntravel  0.1000"],
  ["rerank", { scores: [0.1, 0.9] }, "DOCUMENT   SCORE\na river   0.9000\na bank    0.1000"],
  [
    "tag",
    { entities: ['[{"label":"PER","score":0.9,"word":"Ada","start":0,"end":3}]'] },
    "LABEL   SCORE  WORD  START  END\nPER    0.9000  Ada       0    3",
  ],
  ["fill", { fills: ['[[{"score":0.5,"token":7,"token_str":"x"}]]'] }, " SCORE  TOKEN  TOKEN_STR\n0.5000      7  x"],
  [
    "answer",
    { answer: ["Paris"], answers: ['[{"answer":"Paris","score":0.5,"start":0,"end":5}]'] },
    "ANSWER   SCORE  START  END\nParis   0.5000      0    5",
  ],
  ["summarize", { summary: ["A weir.\u001b[31m"], sentences: ["[]"] }, "A weir.\ufffd[31m"],
  ["keywords", { keywords: ["[]"] }, "nothing was found"],
])("%s reads well", (task, outputs, lines) => {
  expect(linesOf(task, outputs)).toBe(lines);
});

test("numbers that JSON cannot hold become texts", () => {
  const big = { name: "ids", datatype: "INT64", shape: [1], data: new BigInt64Array([2n ** 60n]) } as const;

  expect(dataIn([texts("label", ["x"]), big])).toEqual({ label: ["x"], ids: ["1152921504606846976"] });
});
