/**
 * Names of a cluster's parts and their rows: where text in a scenario or an event refers to a node, pod or
 * service, this finds it or says what was probably meant.
 */
import { type Address, formatAddress, parseAddress } from '../../addr/address.js';
import { nearest } from '../yaml/nearest.js';

export class NameTable {
  private readonly rows = new Map<string, number>();

  constructor(
    /** "node", "pod" or "service" */
    readonly kind: string,
    names: readonly string[],
  ) {
    for (const [row, name] of names.entries()) if (!this.rows.has(name)) this.rows.set(name, row);
  }

  rowOf(name: string): number | null {
    return this.rows.get(name) ?? null;
  }

  has(name: string): boolean {
    return this.rows.has(name);
  }

  /** `there is no node "n9"; did you mean "n1"?` */
  unknown(name: string): string {
    const known = [...this.rows.keys()];
    const sentence = `there is no ${this.kind} "${name}"`;
    const meant = nearest(name, known);
    if (known.length === 0) return sentence;
    if (known.length > 12) return meant === null ? sentence : `${sentence}; did you mean "${meant}"?`;
    const list = `known: ${known.join(', ')}`;
    return meant === null ? `${sentence} (${list})` : `${sentence}; did you mean "${meant}"? (${list})`;
  }
}

/** Nodes can be named by any of their addresses as well. */
export class NodeTable extends NameTable {
  private readonly byAddress = new Map<string, number>();

  constructor(nodes: readonly { readonly name: string; readonly addresses: readonly Address[] }[]) {
    super(
      'node',
      nodes.map((node) => node.name),
    );
    for (const [row, node] of nodes.entries()) {
      for (const address of node.addresses) this.byAddress.set(formatAddress(address), row);
    }
  }

  override rowOf(name: string): number | null {
    const row = super.rowOf(name);
    if (row !== null) return row;
    const address = parseAddress(name);
    return address === null ? null : (this.byAddress.get(formatAddress(address)) ?? null);
  }
}
