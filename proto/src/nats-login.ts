// How a program is told its login at the NATS server: by the name of a file that only its owner may read.
// Arguments are shown to every user of a machine, environments to every child, and URLs end up in logs.
import { readFileSync } from "node:fs";

/** Who a program is at the NATS server. */
export interface NatsLogin {
  readonly user: string;
  readonly pass: string;
}

/**
 * @throws when the file cannot be read or holds no login; the message names the file and does not show what
 * it read
 */
export function readNatsLogin(file: string): NatsLogin {
  try {
    return parseNatsLogin(readFileSync(file, "utf8"));
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`no login at NATS in ${file}: ${why}`, { cause });
  }
}

/** One line, `user:password`. @throws when it is not; the message does not show what it read */
export function parseNatsLogin(text: string): NatsLogin {
  const [, user, pass] = /^([^\s:]+):(\S+)\n?$/.exec(text) ?? [];
  if (user === undefined || pass === undefined) throw new Error("a login is one line, user:password");
  return { user, pass };
}

/** The line that `parseNatsLogin` reads. */
export function formatNatsLogin({ user, pass }: NatsLogin): string {
  return `${user}:${pass}\n`;
}
