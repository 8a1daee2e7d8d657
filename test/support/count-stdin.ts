/** Counts the octets of standard input; run as a process of its own. With `touch`, Node makes it non-blocking first. */
import { openByteSource } from '../../src/capture/byte-source.js';

if (process.argv[2] === 'touch') process.stdin.pause();
try {
  const source = openByteSource('-');
  const piece = new Uint8Array(65_536);
  let count = 0;
  for (let got = source.read(piece, 0, piece.length); got > 0; got = source.read(piece, 0, piece.length)) {
    count += got;
  }
  const { name, sizeBytes, fault } = source;
  process.stdout.write(JSON.stringify({ count, name, sizeBytes, fault }));
} catch (error) {
  process.stdout.write((error as Error).message);
}
