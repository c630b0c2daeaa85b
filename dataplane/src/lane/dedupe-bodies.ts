// Which bodies of stored answers go first when they take too much: those that came first. The retry then
// learns that the call was done.
import type { NumberedAnswer, StoredAnswer } from "./record-answers.ts";

type Entries = Map<string | number, StoredAnswer | NumberedAnswer>;

/** Where a body was put. By its position it is told from one that took its place: the body itself may go. */
interface Place {
  readonly entries: Entries;
  readonly key: string | number;
  readonly n: number;
}

/** Before `next` there is none left: to look from the first at each store would cost milliseconds. */
export interface Bodies {
  places: Place[];
  next: number;
  /** So many places are kept before those are looked for whose bodies are gone. */
  roomFor: number;
}

const placesMin = 1024;

/** No body is there. Places are compacted from `placesMin` on. */
export function createBodies(): Bodies {
  return { places: [], next: 0, roomFor: placesMin };
}

/** An answer was stored under that key; those without bytes take no room and are left out. Amortised O(1). */
export function noteBody(
  bodies: Bodies,
  entries: Entries,
  key: string | number,
  { n, answer }: StoredAnswer | NumberedAnswer,
): void {
  if (answer === undefined) return;
  bodies.places.push({ entries, key, n });
  if (bodies.places.length > bodies.roomFor) compact(bodies);
}

/** The first body goes. Returns its bytes; `undefined` when there is none. */
export function takeBody(bodies: Bodies): number | undefined {
  for (let place = bodies.places[bodies.next]; place !== undefined; place = bodies.places[bodies.next]) {
    bodies.next += 1;
    const entry = entryAt(place);
    if (entry?.answer === undefined) continue;
    place.entries.set(place.key, { ...entry, answer: undefined });
    return entry.answer.length;
  }
  return undefined;
}

function entryAt({ entries, key, n }: Place): StoredAnswer | NumberedAnswer | undefined {
  const entry = entries.get(key);
  return entry?.n === n ? entry : undefined;
}

/** Doubles what is kept, so that a store costs the same however many there are. */
function compact(bodies: Bodies): void {
  bodies.places = bodies.places.slice(bodies.next).filter((place) => entryAt(place)?.answer !== undefined);
  bodies.next = 0;
  bodies.roomFor = Math.max(placesMin, 2 * bodies.places.length);
}
