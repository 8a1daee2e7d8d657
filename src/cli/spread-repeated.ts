/**
 * Options that may be repeated also take several values in a row: `--cluster a.yaml b.yaml` is
 * `--cluster a.yaml --cluster b.yaml`. Commander's own way of this would swallow the capture in
 * `--cluster a.yaml web.pcap`; here the last loose word stays an argument where there is no other.
 */

/** `repeated`: options that may take several values; `valued`: all options that take one. */
export function spreadRepeated(
  argv: readonly string[],
  repeated: ReadonlySet<string>,
  valued: ReadonlySet<string>,
): string[] {
  /** loose words: index in `argv`, and the repeated option they follow, if any */
  const loose: { at: number; follows: string | null }[] = [];
  let follows: string | null = null;
  for (let at = 0; at < argv.length; at++) {
    const word = argv[at]!;
    if (word === '--') break;
    if (word.startsWith('-') && word !== '-') {
      follows = repeated.has(word) ? word : null;
      if (valued.has(word)) at++;
      continue;
    }
    loose.push({ at, follows });
  }
  const argumentAt = (loose.find((word) => word.follows === null) ?? loose.at(-1))?.at;
  const values = new Map(
    loose
      .filter((word) => word.follows !== null && word.at !== argumentAt)
      .map(({ at, follows: option }) => [at, option!]),
  );
  return argv.flatMap((word, at) => {
    const option = values.get(at);
    return option === undefined ? [word] : [option, word];
  });
}
