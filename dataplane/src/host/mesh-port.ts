// The other nodes and the control plane, as the reactor wants them; and the check of what their callers
// bring.
import type { Logger } from "pino";
import type { Bus } from "../bus/index.ts";
import { fail } from "../call/index.ts";
import type { Grants, Reports } from "../controls/index.ts";
import type { Membership } from "../membership/index.ts";
import type { CallersPort, MeshPort } from "../reactor/index.ts";

/** The node's ways to others. */
export interface MeshParts {
  readonly bus: Bus;
  readonly membership: Pick<Membership, "member">;
  readonly reports: Reports;
  readonly log: Logger;
}

/** How the reactor reaches other nodes: it hears what became of a call later, never within the same pass. */
export function createMeshPort({ bus, membership, reports, log }: MeshParts): MeshPort {
  return {
    forward(incarnation, call, told) {
      // its lease has ended since the lane asked: the lane must hear that later, never inside this call
      const member = membership.member(incarnation);
      if (member === undefined) {
        const timer = setImmediate(() => told.undelivered());
        return () => clearImmediate(timer);
      }
      return bus.call(member, call, (outcome) => {
        if (outcome.type === "undelivered") told.undelivered();
        else if (outcome.type === "lost") told.lost();
        else told.answered(outcome.answer, outcome.meta);
      });
    },
    owned: (session) => reports.activated(session),
    released: ({ token }) => reports.deactivated(token),
    report: ({ name }, incident, message) => log.error({ incident, session: name }, message),
    deadWords: "`npx voda ps --dead` lists it",
    warn: ({ name }, message) => log.warn({ session: name }, message),
  };
}

/** What callers bring is checked with these. */
export interface CallersParts {
  readonly grants: Pick<Grants, "verify">;
  readonly log: Logger;
}

export function createCallersPort({ grants, log }: CallersParts): CallersPort {
  return {
    check(call, grant, done) {
      void grants.verify(grant, call.token).then((verdict) => {
        if (verdict.type === "refused") done(fail("grant_refused", verdict.message));
        else if (verdict.type === "unavailable") done(fail("store_away", verdict.message));
        else if (verdict.type === "granted") done({ ...call, devices: verdict.devices });
        // void: the call goes on as if it had brought none
        else done({ ...call, grant: undefined });
      });
    },
    threadEnded({ head, method, name: { agent, key }, requestId }, why) {
      log.error(
        { agent, key, method, call: head.number, request: requestId },
        `the thread ended under the call: ${why}`,
      );
    },
  };
}
