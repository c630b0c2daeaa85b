// `ctx.gather` by the timers of this process.
import { gatherFunction } from "../src/gather.ts";

export const gather = gatherFunction((ms, act) => {
  const timer = setTimeout(act, ms);
  return () => clearTimeout(timer);
});
