/** tshark and capinfos, the reference reader of captures, where they are installed. */
import { spawnSync } from 'node:child_process';

export const hasTshark: boolean = spawnSync('tshark', ['--version']).status === 0;
export const hasCapinfos: boolean = spawnSync('capinfos', ['--version']).status === 0;

export interface TsharkRecord {
  /** seconds with nine decimals; empty where the record has no time */
  readonly ts: string;
  readonly iface: string;
  readonly capLen: number;
  readonly wireLen: number;
  readonly comment: string;
}

export interface TsharkReading {
  readonly records: readonly TsharkRecord[];
  /** what it says of a file that is cut or damaged */
  readonly complaint: string;
}

const FIELDS = ['frame.time_epoch', 'frame.interface_id', 'frame.cap_len', 'frame.len', 'frame.comment'];

export function readWithTshark(path: string): TsharkReading {
  const run = spawnSync(
    'tshark',
    ['-n', '-r', path, '-T', 'fields', ...FIELDS.flatMap((field) => ['-e', field])],
    {
      maxBuffer: 64 * 1024 * 1024,
    },
  );
  const lines = run.stdout.toString().split('\n').slice(0, -1);
  return {
    records: lines.map((line) => {
      const [ts = '', iface = '', capLen = '', wireLen = '', comment = ''] = line.split('\t');
      return { ts, iface, capLen: Number(capLen), wireLen: Number(wireLen), comment };
    }),
    complaint: /damaged or corrupt|cut short/.exec(run.stderr.toString())?.[0] ?? '',
  };
}

/** A line of `capinfos`, by what stands before its colon. */
export function capinfosOf(path: string, line: string): string | undefined {
  const run = spawnSync('capinfos', [path]);
  const found = run.stdout
    .toString()
    .split('\n')
    .find((text) => text.startsWith(`${line}:`));
  return found?.slice(line.length + 1).trim();
}
