// The rules of PROTOCOL.md that the lane itself keeps. Every node runs with all of them; the simulator turns one off at a time and
// must find what goes wrong.
export interface Rules {
  /** A trim never removes the last record of the lane, so the fence never returns to 0. */
  readonly keepLastRecord: boolean;
  /** A reply waits until the record with its turn is accepted. */
  readonly answerAfterCommit: boolean;
  /** A readonly answer waits until every turn that it has seen is accepted. */
  readonly gateReads: boolean;
  /** Nobody claims over a lease that may live. */
  readonly claimNeedsEndedLease: boolean;
  /** From the moment its release is published, an owner answers no reads. */
  readonly releaseEndsAtSend: boolean;
  /** A node whose lease ended returns under a new incarnation, and its sessions claim again before they answer a read. */
  readonly claimAfterReturn: boolean;
  /** "Not committed" is concluded from a later record in its place, never from a read that does not find it. */
  readonly decideByAppend: boolean;
  /** An answer that was computed from a memory is void when that memory is dropped. */
  readonly cutDiesWithMemory: boolean;
  /** Stored answers are in the records and folds, not only in memory. */
  readonly dedupeInState: boolean;
  /** The same id joins the call that runs under it. */
  readonly joinSameId: boolean;
  /** Turns that ran on refused state are dropped with it. */
  readonly dropPipelineWhenFenced: boolean;
  /** The last own record is looked at again before the first append or read on a new connection. */
  readonly verifyAfterReconnect: boolean;
  /** A trim relies only on a fold that the store cannot lose any more. */
  readonly trimLagsSync: boolean;
}

export const allRules: Rules = {
  keepLastRecord: true,
  answerAfterCommit: true,
  gateReads: true,
  claimNeedsEndedLease: true,
  releaseEndsAtSend: true,
  claimAfterReturn: true,
  decideByAppend: true,
  cutDiesWithMemory: true,
  dedupeInState: true,
  joinSameId: true,
  dropPipelineWhenFenced: true,
  verifyAfterReconnect: true,
  trimLagsSync: true,
};
