import type { Lane } from "../src/lane/lane.ts";

/** The state's name in PROTOCOL.md 4. */
type Phase = "cold" | "waking" | "unborn" | "held" | "owner" | "settling" | "releasing" | "verifying";

export function phaseOf({ activation, waking }: Lane): Phase {
  if (activation === undefined) return waking === undefined ? "cold" : "waking";
  if (!activation.verification.verified) return "verifying";
  if (activation.tip.claim === "released") return "releasing";
  if (activation.append.flight?.settling) return "settling";
  return activation.tip.claim;
}
