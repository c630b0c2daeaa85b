// The login that this mesh's own NATS server asks for: whoever else is on this machine, or a web page in a
// browser on it, can reach the port.
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { formatNatsLogin, type NatsLogin, parseNatsLogin } from "@voda/proto/nats-login";
import { writeFirst } from "./first-write.ts";

const passwordBytes = 24;

/** Children are given this path instead of the login, which so shows in no argument, environment or log. */
export const natsLoginFile = (dataDir: string): string => join(dataDir, "nats.login");

/** Reads the login of a data directory, or makes it: the file is the only place where it is kept. */
export function natsLogin(dataDir: string): NatsLogin {
  const file = natsLoginFile(dataDir);
  try {
    return parseNatsLogin(readFileSync(file, "utf8"));
  } catch {
    // Missing, or cut by a crash: another one serves as well, since the server and all who use it are started
    // with it.
    const login = { user: "voda", pass: `p${randomBytes(passwordBytes).toString("hex")}` };
    writeFirst(file, formatNatsLogin(login));
    return login;
  }
}
