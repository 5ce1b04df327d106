import { openPickedSession } from "../runtime/generate/picked-session.ts";
import type { Session } from "../runtime/session.ts";
import { openGraph, openSession, type SessionOptions } from "./session.ts";

/** Opens a graph, which may be a decoder's, with the outputs that make its steps cheap. */
export function openDecoderSession(path: string, options: SessionOptions): Promise<Session> {
  const openFile = (file: string) => openSession(file, options);
  return openPickedSession({ openFile, openGraph: (graph, folder) => openGraph(graph, folder, options) }, path);
}
