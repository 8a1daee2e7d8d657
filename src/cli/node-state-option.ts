/** `--node-state <node>=<file>`: a node's dumps, one or more files a node. */
import { FlowfateError } from '../errors.js';
import type { Node } from '../netfilter/node.js';
import { readNodeState, type StateFile } from '../netfilter/node-state.js';
import { readStateFiles } from './state-files.js';

/** Files by node, in the order given. A value without a name belongs to the node before it. */
export function parseNodeStates(values: readonly string[]): Map<string, string[]> {
  const byNode = new Map<string, string[]>();
  let last: string | null = null;
  for (const value of values) {
    const equals = value.indexOf('=');
    const name: string | null = equals > 0 ? value.slice(0, equals) : last;
    const file = equals > 0 ? value.slice(equals + 1) : value;
    if (name === null || file === '') {
      throw new FlowfateError('usage', `--node-state ${value}: expected node=file, like n1=iptables.txt`);
    }
    last = name;
    const files = byNode.get(name);
    if (files === undefined) byNode.set(name, [file]);
    else files.push(file);
  }
  return byNode;
}

export async function loadNode(name: string, paths: readonly string[], stdin: number): Promise<Node> {
  const files: StateFile[] = [];
  for (const path of paths) files.push(...(await readStateFiles(path, name, stdin)));
  return readNodeState(name, files);
}
