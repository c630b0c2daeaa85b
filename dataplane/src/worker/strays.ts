// What an agent's code does outside of any await: promises that nobody holds reject, timers and listeners
// throw. It is logged with the call that set it off, and ends nothing.
import type { AgentLog } from "./log.ts";
import { describeThrown } from "./thrown.ts";

const advice = {
  rejected: "a promise that nobody awaits rejected",
  thrown: "code that runs outside of its call threw",
} as const;

/** Takes over both ways in which Node would end this thread. */
export function catchStrays(log: AgentLog): void {
  const report = (how: keyof typeof advice, error: unknown): void => {
    const { message, stack, at } = describeThrown(error);
    log.logStray(`${advice[how]}: ${message}`, { at, stack });
  };
  // Asked before any listener of the agent's own, and also for rejections after it has removed ours.
  process.addUncaughtExceptionCaptureCallback((error: unknown) => {
    report("thrown", error);
    return true;
  });
  process.on("unhandledRejection", (reason: unknown) => report("rejected", reason));
}

/**
 * `process.exit` ends a thread with all of its sessions, `process.kill` of its own process the node: neither
 * is an agent's to do. Returns how this thread itself ends: whatever becomes of `process` after this.
 */
export function refuseExits(): () => never {
  const { reallyExit } = process as NodeJS.Process & { reallyExit(this: void, code: number): never };
  const refuse = (name: string) => (): never => {
    throw new Error(`${name} would end the sessions of others too: throw an error to end a call`);
  };
  const kill = process.kill.bind(process);
  const own = new Set([process.pid, -process.pid, 0]);
  Object.assign(process, {
    exit: refuse("process.exit"),
    reallyExit: refuse("process.reallyExit"),
    abort: refuse("process.abort"),
    kill: (pid: number, signal?: string | number): true =>
      own.has(pid) && signal !== 0 ? refuse("process.kill of its own process")() : kill(pid, signal),
  });
  return () => reallyExit(1);
}
