import aws4 from "aws4";
import { Pool } from "undici";
import type { CredentialSource } from "./credentials.ts";

export type SignedJsonSettings = {
  /** The service's name in signatures and in its address, such as `dynamodb`. */
  readonly service: string;
  readonly region: string;
  /** Such as `DynamoDB_20120810`: what stands before an operation's name. */
  readonly targetPrefix: string;
  readonly contentType: "application/x-amz-json-1.0" | "application/x-amz-json-1.1";
  readonly credentials: CredentialSource;
  /** An emulator's URL; absent, the Region's own endpoint. */
  readonly endpoint?: string | undefined;
  readonly connections?: number;
};

export type SignedAnswer = {
  readonly status: number;
  readonly text: string /** The service's clock, `Date` of its answer. */;
  readonly date: string | undefined;
};

export type SignedJson = {
  /** One call, never repeated. Throws when no whole answer came within `timeoutMs`; refusals are answers. */
  readonly call: (operation: string, input: object, at: { nowMs: number; timeoutMs: number }) => Promise<SignedAnswer>;
  readonly close: () => Promise<void>;
};

const KEEP_ALIVE_MS = 30_000;
const CONNECTIONS_MAX = 8;

/** AWS's JSON protocol with Signature Version 4 over one pool of connections: for paths on which the SDK would cost more than the work. */
export function createSignedJson(settings: SignedJsonSettings): SignedJson {
  const { service, region } = settings;
  const url = new URL(settings.endpoint ?? `https://${service}.${region}.amazonaws.com`);
  const pool = new Pool(url.origin, {
    connections: settings.connections ?? CONNECTIONS_MAX,
    keepAliveTimeout: KEEP_ALIVE_MS,
    allowH2: false,
  });
  return {
    async call(operation, input, { nowMs, timeoutMs }) {
      const body = JSON.stringify(input);
      const headers = {
        Host: url.host,
        "Content-Type": settings.contentType,
        "X-Amz-Target": `${settings.targetPrefix}.${operation}`,
        "X-Amz-Date": new Date(nowMs).toISOString().replace(/[:-]|\.\d{3}/g, ""),
      };
      const signed = aws4.sign({ service, region, method: "POST", path: "/", headers, body }, await settings.credentials());
      const request = { method: "POST", path: "/", headers: { ...headers, ...signed.headers }, body } as const;
      const answer = await pool.request({ ...request, signal: AbortSignal.timeout(timeoutMs) });
      const { date } = answer.headers;
      return { status: answer.statusCode, text: await answer.body.text(), date: typeof date === "string" ? date : undefined };
    },
    close: () => pool.close(),
  };
}
