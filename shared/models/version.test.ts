import { expect, test } from "vitest";
import { contentDigestOf, FilePath } from "./version.ts";

test.each(["config.json", "onnx/model.onnx", "a b/ü.txt", "...", "~/x"])("%o is a path inside of a folder", (path) => {
  expect(FilePath.safeParse(path).success).toBe(true);
});

test.each(["", "/etc/passwd", "..", "a/../b", "a/./b", "a//b", "a/", "C:\\x", "a\0b"])("%o is not", (path) => {
  expect(FilePath.safeParse(path).success).toBe(false);
});

test("no path holds a line break, by which one file could have the digest of two, or a terminal's escape", () => {
  const [one, other] = ["1".repeat(64), "2".repeat(64)];
  const forged = contentDigestOf([{ path: `a\n${other} 2 b`, bytes: 1, sha256: one }]);

  expect(forged).toBe(
    contentDigestOf([
      { path: "a", bytes: 1, sha256: one },
      { path: "b", bytes: 2, sha256: other },
    ]),
  );
  for (const path of [`a\n${other} 2 b`, "a\u001b[31mb", "a\u0085b"]) expect(FilePath.safeParse(path).success).toBe(false);
});
