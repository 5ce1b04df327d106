import { expect, test } from "vitest";
import { readFrom } from "./foreign-cursor.ts";

/** What DynamoDB and dynalite say of a place that no item can have; moto goes on from it, where nothing is. */
const refuse = () => Promise.reject(Object.assign(new Error("The provided starting key is invalid"), { name: "ValidationException" }));

test("a cursor that leads to no place is the caller's mistake", async () => {
  await expect(readFrom("x", refuse)).rejects.toMatchObject({ code: "invalid_request", field: "cursor" });
});

test("a call that is wrong without a cursor is ours", async () => {
  await expect(readFrom(undefined, refuse)).rejects.toMatchObject({ name: "ValidationException" });
});
