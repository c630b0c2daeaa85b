// What an agent logged, as tests read it.

/** As `ctx.log` has them. */
export type LogLevel = "debug" | "info" | "warn" | "error";

/** A line that a handler logged, or the node about it. */
export interface LogLine {
  readonly level: LogLevel;
  readonly message: string;
  readonly agent?: string;
  readonly key?: string;
  readonly method?: string;
  /** Of which call it is: an error of `mesh.client` names it. */
  readonly request?: string;
  readonly fields: object;
}
