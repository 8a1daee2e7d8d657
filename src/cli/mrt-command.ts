/** `flowfate mrt <file>`: MRT dumps as JSON lines. */
import type { Command } from 'commander';
import { mrtToJson } from '../bgp/mrt/mrt-json.js';
import { readMrt } from '../bgp/mrt/read-mrt.js';
import { bunzip2IfNeeded } from '../capture/bunzip2-source.js';
import { openByteSource } from '../capture/byte-source.js';
import type { DeclareCommand } from './declare-command.js';
import { ExitStatus } from './exit-status.js';
import type { Io } from './io.js';
import { writeOutput } from './output.js';
import { warn } from './read-input.js';

const EXAMPLES = `
Examples:
  flowfate mrt updates.20261123.0300.gz              every record a line: updates, state changes, routes
  flowfate mrt rib.bz2 | jq 'select(.prefix == "203.0.113.0/24")'
  curl -s https://…/bview.gz | flowfate mrt - | head`;

export const declare: DeclareCommand = (command: Command, io, done) => {
  command
    .argument('<file>', 'an MRT dump, plain, gzipped or bzip2; - is standard input')
    .option('--out <file>', 'write to a file instead of standard output')
    .addHelpText('after', EXAMPLES)
    .action((file: string, options: { readonly out?: string }) => {
      writeOutput(options.out, io, [file], ({ write }) => done(printDump(file, io, write)));
    });
};

function printDump(file: string, io: Io, write: (text: string) => void): ExitStatus {
  const source = bunzip2IfNeeded(openByteSource(file));
  try {
    const dump = readMrt(source);
    let next = dump.next();
    let records = 0;
    let unreadable = 0;
    for (; next.done !== true; next = dump.next(), records++) {
      const json = mrtToJson(next.value);
      if (json.record === 'malformed' || json.fault !== undefined) unreadable++;
      write(`${JSON.stringify(json)}\n`);
    }
    if (unreadable > 0) {
      warn(
        io,
        `${source.name}: ${unreadable} of ${records} records cannot be read; each says why in its line`,
      );
    }
    // the compression knows better than the dump why it ended
    const fault = source.fault ?? next.value;
    if (fault === null) {
      if (records === 0) warn(io, `${source.name} is empty: there is no MRT record in it`);
      return unreadable > 0 ? ExitStatus.input : ExitStatus.done;
    }
    const where = 'offset' in fault ? `${source.name}, at octet ${fault.offset}: ` : '';
    warn(io, `${where}${fault.message}; the records before it are printed`);
    // a dump that merely ends in its last record was read to there
    return fault.kind === 'cut' && records > 0 && unreadable === 0 ? ExitStatus.done : ExitStatus.input;
  } finally {
    source.close();
  }
}
