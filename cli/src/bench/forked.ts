// A process that a bench forks: a control, or a driver whose CPU must not be that of what is measured.
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";

/** Disposing it ends the process, unless it has ended by itself. */
export class Forked implements AsyncDisposable {
  readonly pid: number;
  readonly #name: string;
  readonly #child: ChildProcess;
  readonly #ended: Promise<[number | null, NodeJS.Signals | null]>;

  /** @param name as an error names it */
  constructor(program: string, name: string) {
    // flags of this process, such as an inspector's port, are not of that one
    this.#child = fork(program, { execArgv: [] });
    if (this.#child.pid === undefined) throw new Error(`${name} did not start`);
    this.pid = this.#child.pid;
    this.#name = name;
    this.#ended = once(this.#child, "exit") as Promise<[number | null, NodeJS.Signals | null]>;
  }

  /** Its next message. @throws when it ends before that */
  async next<Answer>(): Promise<Answer> {
    // made for each wait: only while somebody waits is its end an error
    const early = this.#ended.then(([code, signal]) => {
      throw new Error(`${this.#name} ended with ${signal ?? code}; the lines above say why`);
    });
    const [answer] = (await Promise.race([once(this.#child, "message"), early])) as [Answer];
    return answer;
  }

  /** What it answers. @throws when it ends before that */
  async ask<Answer>(order: object): Promise<Answer> {
    const answer = this.next<Answer>();
    this.#child.send(order, () => undefined); // one that has ended is told of by `next`
    return answer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGTERM");
    await this.#ended;
  }
}
