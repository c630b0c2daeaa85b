import { bodyBytesMax, type Reason } from "@voda/proto/wire";
import { type Failure, fail } from "../call/index.ts";

/** Why a request goes no further; thrown while it is read, sent in the caller's protocol. */
export class Refusal extends Error {
  override readonly name = "Refusal";
  readonly failure: Failure;
  /** Where HTTP has a status that says more than the one of the code. */
  readonly status: number | undefined;

  constructor(failure: Failure, status?: number) {
    super(failure.message);
    this.failure = failure;
    this.status = status;
  }
}

export function refuse(reason: Exclude<Reason, "user">, message: string, status?: number): Refusal {
  return new Refusal(fail(reason, message).failure, status);
}

/** What this server does not speak: compressed messages, other protocols. */
export function unimplemented(message: string, status?: number): Refusal {
  return new Refusal({ code: "unimplemented", reason: "bad_request", message }, status);
}

const tooLargeWords = (bytes: string): string =>
  `body of ${bytes} bytes exceeds bodyBytesMax ${bodyBytesMax}; send it in several calls`;

/** Of a body that has not ended. */
export function growsTooLarge(bytes: number): Refusal {
  return refuse("too_large", tooLargeWords(`at least ${bytes}`));
}

export function tooLarge(bytes: number): Refusal {
  return refuse("too_large", tooLargeWords(`${bytes}`));
}
