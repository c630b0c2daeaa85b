// The bounds of what a session has sent, where its thread is heard. The thread refuses a handler what is
// beyond them, and a handler may have replaced what it counts with: folds hold all of it, and must fit.
import {
  outboxBytesMax,
  outboxMessagesMax,
  type Send,
  sendBytes,
  ThreadFault,
  timersMax,
} from "../call/index.ts";
import type { Activation } from "./lane.ts";
import { addSizes, type Sizes, sizesOfSends } from "./send-sizes.ts";

/** A thread may count so much less: letters of timers that it cancels without having heard of them. */
export const outboxLagBytes = 128 * 1024;

export const sizesOf = ({ outbox, timers }: Activation): Sizes => ({
  messages: outbox.letters.size,
  timers: timers.table.size,
  bytes: outbox.bytes + timers.bytes,
});

/** @throws ThreadFault when a turn sends what its thread must have refused */
export function checkRoom(activation: Activation, sends: readonly Send[]): void {
  if (sends.length === 0) return;
  const { turns } = activation;
  const sizes = addSizes(addSizes(sizesOf(activation), turns.unaccepted), sizesOfSends(sends));
  // timers become messages before the thread hears of it
  check("messages", sizes.messages, outboxMessagesMax + timersMax);
  check("timers", sizes.timers, timersMax);
  const bytesMax = outboxBytesMax + outboxLagBytes;
  if (sizes.bytes > bytesMax) check("bytes of messages", sizes.bytes - firedBytes(activation), bytesMax);
}

function check(what: string, has: number, max: number): void {
  if (has > max) throw new ThreadFault(`the session would have ${has} ${what}, more than ${max}`);
}

/** Timers that come again count the letter that they were last, and so does that letter. */
function firedBytes({ outbox, timers }: Activation): number {
  let bytes = 0;
  for (const { n } of timers.table.values()) {
    const letter = outbox.letters.get(n);
    if (letter !== undefined) bytes += sendBytes(letter);
  }
  return bytes;
}
