// One topic with many subscribers: each takes each message once, how many in a second? Beside it the same
// turns of the same sessions, called by a client.
import { setTimeout as delay } from "node:timers/promises";
import { type Caller, openCaller } from "./caller.ts";
import { eachOf } from "./each-of.ts";
import type { OwnMesh } from "./mesh.ts";
import { hundredths } from "./statistics.ts";

/** How much is published to how many. */
export interface TopicsBenchOptions {
  readonly subscribers: number;
  /** Published one after the other. */
  readonly messages: number;
}

/** What `--json` prints. */
export interface TopicsBenchResult extends TopicsBenchOptions {
  /** Messages that a subscriber has taken, of subscribers times messages; and how often more than once. */
  readonly applied: number;
  readonly doubled: number;
  /** Taken in a second, from the first publication to the last turn. */
  readonly perSecond: number;
  /** Turns that a client has these sessions take in a second. */
  readonly controlPerSecond: number;
  /** How many times as many as of the control. */
  readonly ofControl: number;
}

interface Heard {
  readonly heard: Readonly<Record<string, number>>;
  readonly lastMs: number;
}

/** Until all have subscribed; and from the publication of the last message until all must have it. */
const waitMsMax = 120_000;
const pollMs = 250;

/** Figures are there, also when some were not taken in time. @throws when a call is refused for good */
export async function topics(
  mesh: OwnMesh,
  options: TopicsBenchOptions,
  progress: (line: string) => void,
): Promise<TopicsBenchResult> {
  const { subscribers, messages } = options;
  using caller = openCaller(mesh.url);
  const keys = Array.from({ length: subscribers }, (_, i) => `hearer-${i}`);
  await eachOf(
    keys,
    async (key) => void (await caller.call("hearer", key, "follow", undefined, `${key} follows`)),
  );
  await allSubscribed(caller, subscribers);
  progress(`${subscribers} sessions have subscribed`);
  const control = await controlled(caller, keys);
  progress(`a client has them take ${Math.round(control)} turns a second`);
  const fromMs = Date.now();
  for (let n = 1; n <= messages; n += 1) await caller.call("news", "all", "publish", n, `publish ${n}`);
  progress(`${messages} messages are published`);
  const giveUpMs = Date.now() + waitMsMax;
  for (;;) {
    const { applied, doubled, lastMs } = await taken(caller, keys);
    if (applied < subscribers * messages && Date.now() < giveUpMs) {
      await delay(pollMs);
      continue;
    }
    const rate = (applied * 1_000) / (lastMs - fromMs);
    const rates = { perSecond: Math.round(rate), controlPerSecond: Math.round(control) };
    return { ...options, applied, doubled, ...rates, ofControl: hundredths(rate / control) };
  }
}

/** @throws Error when that takes too long */
async function allSubscribed(caller: Caller, count: number): Promise<void> {
  const giveUpMs = Date.now() + waitMsMax;
  for (let found = await subscribed(caller); found < count; found = await subscribed(caller)) {
    if (Date.now() > giveUpMs)
      throw new Error(`${found} of ${count} sessions have subscribed in ${waitMsMax} ms: their log says why`);
    await delay(pollMs);
  }
}

async function subscribed(caller: Caller): Promise<number> {
  return Number((await caller.call("news", "all", "subscribers", undefined, undefined)).body);
}

/** Turns in a second that the client has the sessions take, one each. */
async function controlled(caller: Caller, keys: readonly string[]): Promise<number> {
  const fromMs = performance.now();
  await eachOf(keys, async (key) => void (await caller.call("hearer", key, "note", 0, `${key} notes`)));
  return (keys.length * 1_000) / (performance.now() - fromMs);
}

async function taken(caller: Caller, keys: readonly string[]) {
  let [applied, doubled, lastMs] = [0, 0, 0];
  await eachOf(keys, async (key) => {
    const { body } = await caller.call("hearer", key, "heard", undefined, undefined);
    const { heard, lastMs: ms }: Heard = JSON.parse(body);
    for (const [n, times] of Object.entries(heard)) {
      if (n === "0") continue; // of the control
      applied += 1;
      doubled += times - 1;
    }
    lastMs = Math.max(lastMs, ms);
  });
  return { applied, doubled, lastMs };
}
