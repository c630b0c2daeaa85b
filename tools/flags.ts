// What programs of ours are told by their flags: one that is misspelt is an error, never a run of nothing.

/** @throws where a flag says no whole number from 1 */
export function wholeNumber(flag: string, said: string): number {
  const number = Number(said);
  if (!Number.isSafeInteger(number) || number < 1)
    throw new Error(`--${flag} ${said}: it is a whole number from 1`);
  return number;
}
