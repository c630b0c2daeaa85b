// Bounds and times of a lane (PROTOCOL.md 7), each with its reason. Those of leases are in `membership`.

/**
 * Turns that are executed or wait, and are not accepted yet: the memory that an absent store may cost one
 * session.
 */
export const pipelineTurnsMax = 1024;
/** Bytes of their bodies, deltas and answers. */
export const pipelineBytesMax = 4 * 1024 * 1024;
/** Turns in one record: bounds what one wake must decode at once. One larger turn forms its own record. */
export const recordTurnsMax = 256;
/**
 * Bytes of deltas and answers in one record; a message of this size still costs the store well under 1 ms.
 */
export const recordBytesMax = 512 * 1024;

/**
 * Answers under keys and numbers remembered in a session, and clients, until its pages are incremental: a
 * fold carries them all.
 */
export const idsMax = 65_536;
/**
 * Bytes of what is remembered, answers and the rest. With all else that a fold has at most it stays below
 * what the store takes at once: a test adds all of it up.
 */
export const storedBytesMax = 4 * 1024 * 1024;
/** What an entry takes at most beside its answer: id, two hashes, position, time. */
export const entryBytes = 64;
/**
 * Answers kept no longer than this are for the proxy's own retries; when the table is full they give way to
 * others.
 */
export const briefKeepMs = 60_000;
/** From a client's last call until it is forgotten: it never repeats a call later than that. */
export const clientKeepMs = 600_000;
/** When a caller may try again who was refused for want of room. */
export const retryAfterMs = 100;
/**
 * How long a copy of a call may be on its way to a node beyond the deadline of its caller: each of two hops
 * ends with the lease of the one that sent it. `leaseTtlMs` of `membership` twice; a test compares them.
 */
export const transitMs = 6_000;

/** Letters of one session on their way at once: each takes a call of the node. */
export const awayMax = 64;
/**
 * Letters that one session sends in a millisecond, over its life: its numbers are below the store's time, in
 * milliseconds, that many times. They stay whole until the year 2248.
 */
export const lettersPerMsMax = 1_024;
/** A handler that fails on a letter so often will not do it: the letter is a dead one. */
export const attemptsMax = 16;
/** A handler that has ended so many threads on a letter is not given it again: neighbours pay for each. */
export const threadsMax = 3;
/** Until it is given it again: longer than a thread runs until its end is made good at once. */
export const threadPauseMs = 10_000;
/** A letter under whose handler so many nodes have ended, each begun alone, is not begun again. */
export const nodeEndsMax = 3;
/**
 * Nodes that are closed in order amid the handler of a letter cost it nothing up to so many: no roll of nodes
 * has more. Each one after that counts as an end.
 */
export const nodeClosesMax = 16;
/** Letters that have begun so and not ended: beyond that the one that began first is forgotten. */
export const suspectsMax = 1_024;
/** From its beginning until it begins again: what ends nodes for another reason has passed, or goes on. */
export const nodePauseMs = (ends: number): number => threadPauseMs * 2 ** (ends - 1);
/** A session that ends waits so long for letters that no handler is to blame for. */
export const endPatienceMs = 15_000;
/** Until a letter goes again: doubling from the one to the other. Attempts take 7 minutes in all. */
export const redeliverMinMs = 100;
/** See `redeliverMinMs`. */
export const redeliverMaxMs = 60_000;
/** The same of one that no handler is to blame for: its session is full, or moves, or the store is away. */
export const worldRetryMaxMs = 2_000;
/** Timers that one record makes letters of: more wait for the next record. */
export const timersFiredMax = 256;
/** Of those, how many come by the calendar: each takes a look at it, of up to 0.5 ms of the I/O thread. */
export const cronFiredMax = 16;
/** A session is kept in memory whose next timer is due within this time: its bell would be read too late. */
export const timerSoonMs = 5_000;
/** A timer of the lane that is due later is armed anew then: clocks drift, and Node counts 24 days. */
export const timerArmMaxMs = 60_000;
/** How long a letter may wait in its target's queue, beside the time of its handler. */
export const letterQueueMs = 30_000;
/** How long what a letter's handler asks is remembered: all of the letter's attempts, and a little more. */
export const letterAsksKeepMs = 600_000;
/** A letter that is older is given up, while its target surely knows whether it has taken it. */
export const letterLifeMs = 7 * 24 * 60 * 60 * 1000;
/** From the last letter of a source until the source is forgotten. */
export const seenKeepMs = 2 * letterLifeMs;
/** Sources that a session remembers: a fold carries them all. */
export const seenMax = 32_768;

/** Records after a fold until the next one: a wake reads at most that many. */
export const foldRecordsMax = 512;
/** Bytes of records after a fold until the next one. */
export const foldBytesMax = 1024 * 1024;
/** Records before it whose sequences a record names: some 40 bytes, and a wake reads as many at once. */
export const trailMax = 16;
/**
 * Messages of the log, of whatever session, for each record that a wake reads: beyond it they are read one by
 * one. The store looks at each message between two of them, in up to 0.2 us; one by one they take it 15 us.
 */
export const sparseMin = 128;
/**
 * Messages of the log, of whatever session, from the first record of a tail to the last: beyond it a tail of
 * `trailMax` records is folded. The store reads whole the blocks that they lie in, 8 MiB each.
 */
export const foldSpanMax = 1_048_576;
/** Names of pages that wait until a trim has passed them: beyond it no fold but one that lets some go. */
export const retiredBytesMax = 384 * 1024;
/** A snapshot of at most this size lies in the fold itself. */
export const inlineBytesMax = 64 * 1024;

/** Until the first resend: the 99th percentile is 8 ms, and a resend is harmless. */
export const firstResendMs = 2000;
/** Between resends after the first: doubling from the one to the other. */
export const resendMinMs = 50;
/** See `resendMinMs`. */
export const resendMaxMs = 1000;
/** Until a fold that the store rejected is tried again: one that is full stays so for a while. */
export const rejectedRetryMs = 5000;
/** After a refusal that decided nothing: another proposal is on its way through the store. */
export const undecidedMs = 10;
/**
 * Until an append without outcome is given up: a crashed leader takes 5 to 8 s; then memory is dropped and
 * the lane decides.
 */
export const settleMaxMs = 60_000;

/** Between two looks at a lane whose owner does not answer, or at a store that does not. */
export const wakeRetryMs = 100;
/** Reads of a lane with a gap, from the leader, until it counts as corrupt: a follower may lag. */
export const wakeAttemptsMax = 5;
/** Times that nodes pass a call on. */
export const hopsMax = 2;

/**
 * The longest that nats-server leaves what it has acknowledged unsynced, unless it syncs always: its default.
 */
const storeSyncMs = 120_000;
/** More than what two readings of the store's time may be wrong by. */
const storeErrorsMs = 60_000;
/**
 * Age at which a fold cannot be lost: two syncs, since one may be under way when it is accepted, and what the
 * store's time is wrong by at both ends. 0 where the store is replicated or syncs always.
 */
export const trimDelayMs = 2 * storeSyncMs + storeErrorsMs;
/** Life of a tombstone: longer than every retry. */
export const tombstoneMs = 7 * 24 * 60 * 60 * 1000;
