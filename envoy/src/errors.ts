/** The snapshot was not published; the proxies keep what they have. */
export class SnapshotRefusedError extends Error {
  override readonly name = "SnapshotRefusedError";
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`the snapshot was not published: ${problems.join("; ")}`);
    this.problems = problems;
  }
}
