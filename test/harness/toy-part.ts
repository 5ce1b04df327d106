/** A part that does nothing: for the tests of what supervises parts. Its environment says how it behaves. */
import { fork } from "node:child_process";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";

const { PORT, BEHAVIOUR } = process.env;

if (BEHAVIOUR === "refuse") process.send?.({ ready: false, reason: "has no legs to stand on" }, () => process.exit(1));
else if (BEHAVIOUR === "die") process.exit(7);
else if (BEHAVIOUR === "silent") process.on("disconnect", () => process.exit(0));
else {
  const child =
    BEHAVIOUR === "parent" ? fork(fileURLToPath(import.meta.url), [], { env: { PORT: "0", BEHAVIOUR: "stubborn" } }) : undefined;
  if (BEHAVIOUR !== "stubborn") {
    process.on("SIGTERM", () => process.exit(0));
    process.on("disconnect", () => process.exit(0));
  }
  const server = createServer().listen(Number(PORT), "127.0.0.1", () => {
    const address = server.address();
    console.log(`child ${child?.pid}`);
    if (address !== null && typeof address === "object") process.send?.({ ready: true, port: address.port });
  });
}
