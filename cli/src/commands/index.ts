// The commands of `voda`, in the order in which the help lists them.
import type { Command } from "commander";
import type { Output } from "../print.ts";
import { addAgents } from "./agents.ts";
import { addBench } from "./bench.ts";
import { addCall } from "./call.ts";
import { addDead } from "./dead.ts";
import { addDoctor } from "./doctor.ts";
import { addExplain } from "./explain.ts";
import { addLife } from "./life.ts";
import { addLogs } from "./logs.ts";
import { addPs } from "./ps.ts";
import { addQuota } from "./quota.ts";
import { addTop } from "./top.ts";
import { addUp } from "./up.ts";

/** Adds a command, or a few that belong together, to the program; what it prints goes to `output`. */
export type AddCommand = (program: Command, output: Output) => void;

/** A new command is a file and a line here. */
export const commands: readonly AddCommand[] = [
  addUp,
  addCall,
  addPs,
  addDead,
  addLife,
  addTop,
  addLogs,
  addExplain,
  addQuota,
  addAgents,
  addBench,
  addDoctor,
];
