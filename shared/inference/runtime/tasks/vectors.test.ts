import { describe, expect, test } from "vitest";
import { centroidOf, chooseDiverse, directionsOf, dot } from "./vectors.ts";

const at = (degrees: number) => Float32Array.of(Math.cos((degrees * Math.PI) / 180), Math.sin((degrees * Math.PI) / 180));

describe("maximal marginal relevance", () => {
  const vectors = [at(10), at(12), at(-40), at(90)];
  const target = at(0);

  test("without diversity takes the nearest", () => {
    expect(chooseDiverse({ vectors, target, count: 3, diversity: 0 })).toEqual([0, 1, 2]);
  });

  test("with it passes over what says the same again", () => {
    expect(chooseDiverse({ vectors, target, count: 2, diversity: 0.5 })).toEqual([0, 2]);
  });

  test("at its most takes what is least like the first", () => {
    expect(chooseDiverse({ vectors, target, count: 2, diversity: 1 })).toEqual([0, 3]);
  });

  test("takes each once, and no more than there are", () => {
    expect(chooseDiverse({ vectors, target, count: 9, diversity: 0.5 }).toSorted()).toEqual([0, 1, 2, 3]);
    expect(chooseDiverse({ vectors: [], target, count: 1, diversity: 0.5 })).toEqual([]);
  });
});

test("directions have length 1 and leave the rows as they were", () => {
  const rows = [{ values: Float32Array.of(3, 4), width: 2 }];

  expect(directionsOf(rows)).toEqual([Float32Array.of(0.6, 0.8)]);
  expect(rows[0]?.values).toEqual(Float32Array.of(3, 4));
});

test("a centroid lies between its vectors", () => {
  expect(dot(centroidOf([at(0), at(60)]), at(30))).toBeCloseTo(1, 6);
});
