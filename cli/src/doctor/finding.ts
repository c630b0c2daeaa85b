/** One line of the doctor's table. */
export interface Finding {
  readonly name: string;
  readonly ok: boolean;
  readonly found: string;
  /** Only where it is not ok. */
  readonly fix?: string;
}
