// What is known of our last record on this connection, and what the store was asked about it.

/**
 * A question to the store about the lane: what became of an append, or whether our last record is still
 * there.
 */
export interface TipQuery {
  readonly token: number;
  readonly stage: "last" | "range";
  readonly why: "settle" | "verify";
}

/**
 * The slice: whether the lane still ends with our record, as far as this connection knows, and what is asked
 * about it. At most one query is open.
 */
export interface Verification {
  /** The tip was seen on this connection. */
  verified: boolean;
  query: TipQuery | undefined;
  /** Not before that monotonic time. */
  retryAtMs: number;
}

/** Verified from the start: the wake has just read the lane on this connection. */
export function openVerification(): Verification {
  return { verified: true, query: undefined, retryAtMs: 0 };
}

/** The connection is lost: the next one verifies the tip anew. */
export function unverify(verification: Verification): void {
  verification.verified = false;
  verification.query = undefined;
  verification.retryAtMs = 0;
}

/** A reply with another token is of an earlier question, and is left out. */
export function setQuery(verification: Verification, query: TipQuery): void {
  verification.query = query;
}

/** The answer came, or does not matter any more. */
export function clearQuery(verification: Verification): void {
  verification.query = undefined;
}

/** Our last record, or the one in flight, is the last of the lane. */
export function verify(verification: Verification): void {
  verification.verified = true;
}

/** The store did not answer, or decided nothing. */
export function retryAt(verification: Verification, atMs: number): void {
  verification.retryAtMs = atMs;
}
