/** DEFLATE (RFC 1951) undone synchronously and in pieces of any size, into memory of the caller's. */

export interface RawInflater {
  /** octets the last call took from its input and made of it */
  readonly consumed: number;
  readonly produced: number;
  /** the last block's end was reached: what follows in the input is not DEFLATE's */
  readonly ended: boolean;
  /** zlib's words on what is wrong with the data; nothing can be inflated after it until `reset` */
  readonly error: string | null;

  /**
   * Inflates from `input[inputAt…]` to `output[outputAt…]` and says in `consumed` and `produced` how far it came.
   * With room left and nothing produced it wants more input, unless `ended` or `error` is set.
   */
  inflate(
    input: Uint8Array,
    inputAt: number,
    inputLength: number,
    output: Uint8Array,
    outputAt: number,
    outputLength: number,
  ): void;

  /** Ready for another stream. */
  reset(): void;
  close(): void;
}
