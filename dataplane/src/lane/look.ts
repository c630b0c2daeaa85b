// What is known of our last record on this connection, and what the store was asked about it.

/** A look at the lane in the store: what became of an append, or whether our last record is still there. */
export interface Asked {
  readonly token: number;
  readonly stage: "last" | "range";
  readonly why: "settle" | "verify";
}

export interface Look {
  /** The tip was seen on this connection. */
  verified: boolean;
  asked: Asked | undefined;
  /** Not before that monotonic time. */
  againAtMs: number;
}

export function openLook(): Look {
  return { verified: true, asked: undefined, againAtMs: 0 };
}

/** On the next connection everything is looked at anew. */
export function loseSight(look: Look): void {
  look.verified = false;
  look.asked = undefined;
  look.againAtMs = 0;
}

export function ask(look: Look, asked: Asked): void {
  look.asked = asked;
}

/** The answer came, or does not matter any more. */
export function stopAsking(look: Look): void {
  look.asked = undefined;
}

/** Our last record, or the one in flight, is the last of the lane. */
export function verify(look: Look): void {
  look.verified = true;
}

export function lookAgainAt(look: Look, atMs: number): void {
  look.againAtMs = atMs;
}
