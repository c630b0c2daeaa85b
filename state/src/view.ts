// Views of the past. Opening one costs nothing: a cut stays empty until a commit puts there what it replaces.
import { ClosedError } from "./errors.ts";
import type { Field, Layer, Scope } from "./field.ts";

/** What changed since a moment, as it was then; views opened at the same moment share it. */
interface Cut extends Layer {
  readonly seq: number;
  readonly slots: unknown[];
  views: number;
  next: Cut | undefined;
  older: Cut | undefined;
}

/** The cuts of one session that have views. */
export interface Cuts {
  /** A scope of the state as it is at `seq`, and how to end it. */
  open(seq: number): { readonly scope: Scope; readonly close: () => void };
  /** To be called before the field applies the slot. */
  keep(index: number, slot: unknown): void;
}

/** @param whole throws once the state is broken */
export function createCuts(fields: readonly Field[], whole: () => void): Cuts {
  let newest: Cut | undefined;

  /** Views that are opened between the same two commits share a cut: it would hold the same. */
  const enter = (seq: number): Cut => {
    if (newest === undefined || newest.seq !== seq) {
      const cut: Cut = { seq, slots: [], views: 0, next: undefined, older: newest };
      if (newest !== undefined) newest.next = cut;
      newest = cut;
    }
    newest.views += 1;
    return newest;
  };

  /** An older cut reads through this one, so it inherits what this one kept. */
  const remove = (cut: Cut): void => {
    const { older, next } = cut;
    for (const [index, field] of fields.entries()) {
      const slot = cut.slots[index];
      if (older !== undefined && slot !== undefined)
        older.slots[index] = field.fold(slot, older.slots[index]);
    }
    if (older !== undefined) older.next = next;
    if (next !== undefined) next.older = older;
    else newest = older;
  };

  /** A cut without views is of no use to anybody but the older ones. */
  const leave = (cut: Cut): void => {
    cut.views -= 1;
    if (cut.views === 0) remove(cut);
  };

  return {
    open: (seq) => {
      const cut = enter(seq);
      let isOpen = true;
      const alive = (): void => {
        if (!isOpen) throw new ClosedError("the view is closed: read before the handler returns");
        whole();
      };
      // A view of a `readonly` handler: its state looks the same, so a write has to say what is wrong.
      const writable = (field: string): void => {
        alive();
        throw new TypeError(`state.${field} cannot be written here: a view only reads`);
      };
      const close = (): void => {
        if (isOpen) leave(cut);
        isOpen = false;
      };
      return { scope: { layer: cut, alive, writable }, close };
    },
    // The newest cut only: older ones read through it, and get what it kept when its last view closes.
    keep: (index, slot) => {
      const field = fields[index];
      if (newest === undefined || field === undefined) return;
      newest.slots[index] = field.fold(field.undo(slot), newest.slots[index]);
    },
  };
}
