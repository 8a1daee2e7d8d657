/** Text of `--router-state` files to tables: one file may hold what several commands printed, told by its content. */
import { FlowfateError } from '../../errors.js';
import { JsonSplitter } from '../yaml/json-splitter.js';
import {
  birdTable,
  frrBgpTable,
  gobgpTable,
  isBird,
  isFrrBgp,
  isGobgp,
  isZebra,
  zebraTable,
} from './daemon-tables.js';
import { isLinuxRoute, isNextHopObject, linuxTable, sysctlTable, withoutSysctl } from './linux-tables.js';
import { type Raw, type RouterTable, raw } from './router-table.js';
import { eosTable, isEos, isNxos, nxosTable } from './vendor-tables.js';

export interface RouterText {
  readonly name: string;
  readonly text: string;
  /** found beside others: what is no router's table is passed over */
  readonly isFound: boolean;
}

const KNOWN =
  'ip -j route, ip -j nexthop, sysctl, FRR’s show ip route json and show bgp json, gobgp global rib -j, birdc show route all, NX-OS and EOS show ip route | json';

/** Throws a {@link FlowfateError} (`config`) for a named file that is none of the known tables. */
export function readRouterTables(texts: readonly RouterText[]): RouterTable[] {
  const linux: Raw[] = [];
  const tables: RouterTable[] = [];
  for (const { name, text, isFound } of texts) {
    const found = tablesOf(text.replace(/^\ufeff/, ''), linux);
    if (found === null && !isFound) {
      throw new FlowfateError(
        'config',
        `${name}: ${text.trim() === '' ? 'is empty' : 'is no table of a router that is read here'}; known are ${KNOWN}`,
        { file: name },
      );
    }
    tables.push(...(found ?? []).map((table) => ({ ...table, file: name })));
  }
  // routes and the objects that they name may stand in different files
  return linux.length > 0 ? [linuxTable(linux), ...tables] : tables;
}

/** Null where the text is nothing that is known. */
function tablesOf(text: string, linux: Raw[]): RouterTable[] | null {
  const sysctl = sysctlTable(text);
  const rest = withoutSysctl(text);
  const tables = sysctl === null ? [] : [sysctl];
  if (isBird(rest)) return [...tables, birdTable(rest)];
  if (!/^\s*[[{]/.test(rest)) return sysctl === null ? null : tables;
  const { values, isWhole } = jsonValues(rest);
  let known = sysctl !== null;
  for (const value of values) {
    if (isLinuxRoute(value) || isNextHopObject(value)) linux.push(value);
    else if (!('bucket' in value)) {
      const table = tableOf(value);
      if (table === null) continue;
      tables.push(table);
    }
    known = true;
  }
  // an empty table is a table
  return known || (isWhole && values.length === 0) ? tables : null;
}

function tableOf(value: Raw): RouterTable | null {
  if (isNxos(value)) return nxosTable(value);
  if (isEos(value)) return eosTable(value);
  if (isFrrBgp(value)) return frrBgpTable(value);
  if (isZebra(value)) return zebraTable(value);
  if (isGobgp(value)) return gobgpTable(value);
  // FRR with several VRFs
  const inner = raw(value.default);
  return inner === null ? null : tableOf(inner);
}

function jsonValues(text: string): { values: Raw[]; isWhole: boolean } {
  const values: Raw[] = [];
  let isWhole = true;
  const take = (piece: { text: string }): void => {
    try {
      const value = raw(JSON.parse(piece.text));
      if (value !== null) values.push(value);
    } catch {
      isWhole = false;
    }
  };
  const splitter = new JsonSplitter({
    item: take,
    list: take,
    fault: () => {
      isWhole = false;
    },
  });
  splitter.push(Buffer.from(text));
  splitter.end();
  return { values, isWhole };
}
