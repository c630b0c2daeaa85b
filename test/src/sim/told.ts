// What a handler of the simulator answers, which its caller and the one that asked it read.
import { encodeAnswer } from "../../../dataplane/src/call/index.ts";

export type Told =
  | { readonly effect: string; readonly asked?: string; readonly ran?: readonly string[] }
  | { readonly failed: string }
  | { readonly state: string };

const utf8 = new TextEncoder();
const text = new TextDecoder();

export const encodeTold = (told: Told): Uint8Array =>
  encodeAnswer({ ok: true, content: "json", body: utf8.encode(JSON.stringify(told)) });
export const decodeTold = (bytes: Uint8Array): Told => JSON.parse(text.decode(bytes));
