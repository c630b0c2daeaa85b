/** Somebody outside of the mesh who moves money: what is asked twice under one key is done once. */
export interface Bank {
  charge(cents: number, key: string): Promise<string>;
  refund(receipt: string, key: string): Promise<string>;
}

/** Stands for a real one, which would be asked over the network. Declines more than 1,000 in one charge. */
export function pretendBank(): Bank {
  const done = new Map<string, string>();
  const once = (key: string, what: string): string => {
    const receipt = done.get(key) ?? `${what}-${done.size + 1}`;
    done.set(key, receipt);
    return receipt;
  };
  return {
    async charge(cents, key) {
      if (cents > 1_000) throw new Error("declined");
      return once(key, "charge");
    },
    refund: async (receipt, key) => once(key, `refund of ${receipt}`),
  };
}
