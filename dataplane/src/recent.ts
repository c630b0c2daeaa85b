/**
 * Remembers what a pure function of one text gave: twice `max` texts at most. When the young half is full it
 * becomes the old one, and what was not asked for again since is forgotten with the old one before it.
 */
export function recent<V, T extends string = string>(max: number, make: (text: T) => V): (text: T) => V {
  let young = new Map<T, V>();
  let old = new Map<T, V>();
  return (text) => {
    const known = young.get(text);
    if (known !== undefined) return known;
    const value = old.get(text) ?? make(text);
    if (young.size >= max) {
      old = young;
      young = new Map();
    }
    young.set(text, value);
    return value;
  };
}
