// Reads JetStream's answer to a publish. A success is read without JSON.parse: it is the answer to every
// append.

export type AppendOutcome =
  /** Stored, durable as the deployment promises, at this sequence of the stream. */
  | { readonly type: "acked"; readonly seq: number }
  /**
   * The fence's last sequence is not the expected one (10071), or an append of the fence is in flight
   * (10164). Decides nothing.
   */
  | { readonly type: "refused"; readonly code: 10071 | 10164 }
  /** Not stored: the server says why. */
  | { readonly type: "error"; readonly code: number; readonly description: string }
  /** Nobody knows whether it is, or will be, stored. */
  | { readonly type: "unanswered" };

const unanswered: AppendOutcome = { type: "unanswered" };
const S = 0x73;
const colon = 0x3a;
const utf8 = new TextDecoder();

/** `{"stream":"VODA_LOG_0","seq":17}`, or `{"error":{"code":400,"err_code":10071,"description":"…"},…}`. */
export function readAck(bytes: Uint8Array): AppendOutcome {
  if (bytes[2] === S) {
    const seq = sequence(bytes);
    if (seq > 0) return { type: "acked", seq };
  }
  return readError(bytes);
}

/** The number after `"seq":`, or 0. */
function sequence(bytes: Uint8Array): number {
  for (let at = 6; at < bytes.length; at += 1) {
    if (
      bytes[at] !== colon ||
      bytes[at - 2] !== 0x71 ||
      bytes[at - 3] !== 0x65 ||
      bytes[at - 4] !== S ||
      bytes[at - 5] !== 0x22
    )
      continue;
    let seq = 0;
    for (let digit = at + 1; digit < bytes.length; digit += 1) {
      const value = (bytes[digit] ?? 0) - 0x30;
      if (value < 0 || value > 9) {
        if (bytes[digit] === 0x20 && seq === 0) continue;
        break;
      }
      seq = seq * 10 + value;
    }
    return seq;
  }
  return 0;
}

function readError(bytes: Uint8Array): AppendOutcome {
  let answer: { readonly error?: { readonly err_code?: number; readonly description?: string } };
  try {
    answer = JSON.parse(utf8.decode(bytes)) as typeof answer;
  } catch {
    // Half an answer proves nothing. "No responders" (503) has no body: JetStream is not there at the moment,
    // which says nothing of an earlier copy.
    return unanswered;
  }
  const error = answer.error;
  if (error === undefined) return unanswered;
  const code = error.err_code ?? 0;
  if (code === 10071 || code === 10164) return { type: "refused", code };
  return { type: "error", code, description: error.description ?? "no description" };
}
