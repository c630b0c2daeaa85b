// One session of a topic without a node: its own handlers, in whatever order a test has them run.
import { agentParts, type HostContext, type SendRequest, sendFunction } from "../src/definition.ts";
import { topic, VodaError } from "../src/index.ts";

const news = topic("news");
const key = "eu";
const { definition, handlers } = news[agentParts];

class Entries extends Map<string, unknown> {
  update(name: string, change: (before: unknown) => unknown): void {
    this.set(name, change(this.get(name)));
  }
}

type Letter = Omit<SendRequest, "way">;

/** Letters leave as those of a session do: to one target in their order, those to itself too. */
export class TopicSession {
  /** Which the outbox takes. */
  room = 16_384;
  /** What each subscriber has heard. */
  readonly heard = new Map<string, unknown[]>();
  #state: Record<string, unknown> = Object.fromEntries(
    definition.fields.map(({ name, kind, initial }) => [name, kind === "map" ? new Entries() : initial]),
  );
  #outbox: Letter[] = [];
  readonly #dead: Letter[] = [];
  #isTimed = false;

  /** Letters, and perhaps a timer. */
  get isBusy(): boolean {
    return this.#outbox.length > 0 || this.#isTimed;
  }

  get dueOfItself(): readonly string[] {
    return this.#own().map(({ method }) => method);
  }

  subscribe(name: string): void {
    this.heard.set(name, this.heard.get(name) ?? []);
    this.#turn("subscribe", undefined, name);
  }

  unsubscribe(name: string): void {
    this.#turn("unsubscribe", undefined, name);
  }

  /** Whether it was taken. */
  publish(message: string): boolean {
    return this.#turn("publish", JSON.stringify(message), undefined);
  }

  /** Its next letter to itself is taken, or fails; its timer may fire `meanwhile`. */
  step(meanwhile?: "fires"): void {
    const [letter] = this.#own();
    if (letter !== undefined) this.#turn(letter.method, letter.body, letter, meanwhile);
  }

  /** Its next letter to itself is a dead one. */
  giveUp(): void {
    const [letter] = this.#own();
    this.#outbox = this.#outbox.filter((one) => one !== letter);
    if (letter !== undefined) this.#dead.push(letter);
  }

  /** Dead letters are sent again. */
  retry(): void {
    this.#outbox.push(...this.#dead.splice(0));
  }

  #own(): readonly Letter[] {
    return this.#outbox.filter(({ agent }) => agent === "news");
  }

  /** Its timer fires, unless the letter of the last time is not taken yet. */
  fire(): void {
    if (this.#isTimed && !this.dueOfItself.includes("look"))
      this.#outbox.push({ agent: "news", key, method: "look", body: undefined });
  }

  /** The subscriber takes its next message, if there is one. */
  take(name: string): boolean {
    const at = this.#outbox.findIndex((letter) => letter.agent === "reader" && letter.key === name);
    const taken = at < 0 ? [] : this.#outbox.splice(at, 1);
    for (const { body = "" } of taken) this.heard.get(name)?.push(JSON.parse(body));
    return taken.length > 0;
  }

  /** Whether it was taken. `by`: a subscriber, or a letter of its own; undefined: a client. */
  #turn(
    method: string,
    body: string | undefined,
    by: string | Letter | undefined,
    meanwhile?: "fires",
  ): boolean {
    const before = { state: this.#state, isTimed: this.#isTimed };
    const sent: Letter[] = [];
    this.#state = Object.fromEntries(
      Object.entries(before.state).map(([name, value]) => [
        name,
        value instanceof Map ? new Entries(value) : value,
      ]),
    );
    const caller = typeof by === "string" ? { name: "reader", key: by } : { name: "news", key };
    const send = sendFunction(
      (letter) => {
        if (this.#outbox.length + sent.length >= this.room)
          throw new VodaError("resource_exhausted", "the outbox is full", { reason: "outbox_full" });
        sent.push(letter);
      },
      { uuid: () => "an id", nowMs: () => 0 },
      () => () => undefined,
    );
    const timed = (isTimed: boolean) => (): void => {
      this.#isTimed = isTimed;
    };
    const parts = {
      state: this.#state,
      key,
      caller: by === undefined ? {} : { agent: caller },
      send,
      schedule: () => ({ look: timed(true) }),
      cancel: timed(false),
    };
    try {
      handlers.get(method)?.run(parts as object as HostContext, body && JSON.parse(body));
    } catch {
      this.#state = before.state;
      this.#isTimed = before.isTimed;
      return false;
    }
    if (meanwhile === "fires") this.fire();
    this.#outbox = [...this.#outbox.filter((letter) => letter !== by), ...sent];
    return true;
  }
}
