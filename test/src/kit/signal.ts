/**
 * Sends a signal to another process. @throws for 0, which a ready file says of one that has died until its
 * successor runs: to the system it means every process of the test's own group.
 */
export function signal(pid: number | undefined, name: NodeJS.Signals): void {
  if (pid === undefined || pid <= 0)
    throw new Error(`${name} is for a process that runs, not for ${pid}: wait until it has an id`);
  process.kill(pid, name);
}
