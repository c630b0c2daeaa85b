// Roundings of what the benches measure.

/** Rounded to one decimal: what a bench measures is not known better. */
export const tenths = (value: number): number => Math.round(value * 10) / 10;
/** Rounded to two decimals. */
export const hundredths = (value: number): number => Math.round(value * 100) / 100;
