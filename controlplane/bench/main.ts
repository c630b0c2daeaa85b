// The benches of this room: node controlplane/bench/main.ts placement --nodes FILE --pods FILE --json
import { runBenches } from "@voda/stdx/bench";
import { BooksError } from "../src/placement/books.ts";
import { placement } from "./placement.ts";
import { placementChurn } from "./placement-churn.ts";
import { placementSpeed } from "./placement-speed.ts";
import { TraceError } from "./rows.ts";

await runBenches(
  [placement, placementChurn, placementSpeed],
  process.argv.slice(2),
  // A trace that cannot be read, or that asks for more than the books of a pool can hold.
  (error) => error instanceof TraceError || error instanceof BooksError,
);
