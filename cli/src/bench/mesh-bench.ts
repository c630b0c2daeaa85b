// What the benches of a mesh are given beyond their flags.
import type { Bench, BenchRun } from "@voda/stdx/bench";

/** One run on a mesh. */
export interface MeshRun extends BenchRun {
  /** URL of a running mesh; undefined: the bench starts its own. */
  readonly url: string | undefined;
}

/** A bench that runs in the process of `voda bench`. */
export interface MeshBench extends Bench<MeshRun> {
  /** It runs on a mesh that is there, too; CPU, heaps and starts can only be read of processes of its own. */
  readonly takesUrl?: true;
}
