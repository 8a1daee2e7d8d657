/**
 * One packet's way through a node: ingress, prerouting, the routing decision, input or forward, postrouting; with
 * connection tracking and NAT where the kernel has them (net/netfilter, net/ipv4/ip_input.c, ip_forward.c and their IPv6
 * siblings). The walk asks `Decisions` where the kernel draws, counts, or where nobody can say.
 */
import { type Address, formatAddress } from '../addr/address.js';
import { type Connection, type Found, inverted, newConnection, type Tuple } from './connections.js';
import type { Decisions } from './decisions.js';
import { scheduleIpvs } from './ipvs.js';
import { manipulate, nullBinding } from './nat.js';
import type { HookItem, Node } from './node.js';
import type { Route } from './node-routes.js';
import { Packet, type PacketFields } from './packet.js';
import { type Routed, routeInput, routeOutput } from './routing.js';
import { nextRule } from './rule-index.js';
import {
  BREAK,
  type By,
  type Chain,
  type Ctinfo,
  type Final,
  type Hook,
  NEXT,
  type RecentNote,
  type Rule,
  type TraceStep,
  type Verdict,
  type Walk,
} from './rule-set.js';
import { trackPacket } from './tracking.js';

/** More rules than this tried by one packet means chains that jump in a circle, which the kernel would have refused. */
const MOST_RULES = 1_000_000;
/** NFT_JUMP_STACK_SIZE; iptables allows more, and no real rule set comes near */
const MOST_JUMPS = 512;

export class PacketWalk implements Walk {
  readonly packet: Packet;
  hook: Hook = 'prerouting';
  iif: string | null;
  oif: string | null = null;
  connection: Connection | null = null;
  ctinfo: Ctinfo = 'none';
  /** the packet goes in its connection's reply direction */
  isReply = false;
  /** zone that a rule set before the look-up */
  zone = 0;
  helper: string | null = null;
  /** source port drawn by the kernel: not to be printed */
  portDrawn = false;
  route: Route | null = null;
  gateway: Address | null = null;
  by: By | null = null;
  readonly steps: TraceStep[] = [];
  readonly assumed = new Set<string>();
  rule: Rule | null = null;
  traced = false;
  made: Connection | null = null;
  /** the entry of the table that `connection` is a copy of */
  joined: Connection | null = null;
  /** the entry of an ended connection whose place `made` takes */
  replaces: Connection | null = null;
  readonly recent = new Map<string, RecentNote>();
  /** elements that rules added to dynamic sets for this packet */
  readonly added = new Map<object, Set<string>>();
  /** whoever walks it knows that conntrack calls it INVALID (a sequence number, say) */
  isInvalid = false;
  private tried = 0;

  constructor(
    readonly node: Node,
    fields: PacketFields,
    readonly decisions: Decisions,
    readonly recording: boolean,
  ) {
    this.packet = new Packet(fields);
    this.iif = fields.iif;
  }

  run(): Final {
    const final = this.iif === null ? this.leave() : this.arrive(this.iif);
    if (this.recording) {
      const how = final.with === undefined ? final.verdict : `${final.verdict} with ${final.with}`;
      this.note('end', how, final.why ?? '');
    }
    return final;
  }

  /** Does something hold that nobody can say? `what` completes "rule …: …". */
  unknown(what: string): boolean {
    return this.decisions.unknown(this.whereWhat(what));
  }

  whereWhat(what: string): string {
    const { rule } = this;
    return rule === null ? what : `${rule.table.label} ${rule.chain.name} rule ${rule.number}: ${what}`;
  }

  assume(what: string): void {
    this.assumed.add(what);
  }

  note(hook: TraceStep['hook'], text: string, result: string): void {
    if (this.recording) this.steps.push({ hook, text, result });
  }

  changed(text: string): void {
    if (this.recording && this.rule !== null) this.stepOf(this.rule, text);
  }

  // ---- a packet from outside

  private arrive(iif: string): Final {
    for (const family of ['netdev', 'inet'] as const) {
      for (const chain of this.node.chainsOn('ingress', iif, family)) {
        this.hook = 'ingress';
        const stop = this.finalOf(this.evaluate(chain));
        if (stop !== null) return stop;
      }
    }
    return this.runHook('prerouting') ?? this.routed(routeInput(this));
  }

  private routed(routed: Routed): Final {
    this.route = routed.route;
    this.oif = routed.oif;
    this.gateway = routed.gateway;
    if (this.recording) {
      this.note('routing', `to ${formatAddress(this.packet.dst)}${this.markText()}`, routed.text);
    }
    switch (routed.kind) {
      case 'unknown':
        return { verdict: 'unknown', by: null, why: routed.text };
      case 'dropped':
        return { verdict: 'dropped', by: null, why: routed.text };
      case 'rejected':
        return this.sendsError(routed.with!)
          ? { verdict: 'rejected', with: routed.with!, by: null, why: routed.text }
          : { verdict: 'dropped', by: null, why: 'no error is sent about an error' };
      case 'local':
        this.oif = null;
        return this.input();
      case 'forward':
        return this.forward();
    }
  }

  private input(): Final {
    const stop = this.runHook('input');
    if (stop !== null) return stop;
    this.confirm();
    return { verdict: 'local', by: this.by };
  }

  private forward(): Final {
    const { packet } = this;
    if (packet.ttl <= 1) {
      return this.sendsError('icmp-11-0')
        ? {
            verdict: 'rejected',
            with: packet.family === 4 ? 'icmp-11-0' : 'icmp-3-0',
            by: null,
            why: 'TTL is used up',
          }
        : { verdict: 'dropped', by: null, why: 'TTL is used up' };
    }
    const mtu = this.node.routes.linkOf(this.oif)?.mtu ?? 0;
    if (packet.family === 6 && mtu > 0 && packet.length > mtu) {
      return {
        verdict: 'rejected',
        with: 'icmp-2-0',
        by: null,
        why: `longer than the MTU of ${this.oif}, ${mtu}`,
      };
    }
    packet.ttl--;
    packet.changed();
    return this.runHook('forward') ?? this.postroute();
  }

  private postroute(): Final {
    const stop = this.runHook('postrouting');
    if (stop !== null) return stop;
    const { oif } = this;
    for (const chain of oif === null ? [] : this.node.chainsOn('egress', oif, 'netdev')) {
      this.hook = 'egress';
      const end = this.finalOf(this.evaluate(chain));
      if (end !== null) return end;
    }
    this.confirm();
    return { verdict: 'forwarded', by: this.by };
  }

  // ---- a packet of the node's own

  private leave(): Final {
    const first = routeOutput(this);
    if (first.kind !== 'forward' && first.kind !== 'local') return this.routed(first);
    this.take(first);
    const before = `${formatAddress(this.packet.dst)} ${this.packet.mark}`;
    const stop = this.runHook('output');
    if (stop !== null) return stop;
    return this.sendOut(
      before === `${formatAddress(this.packet.dst)} ${this.packet.mark}` ? first : routeOutput(this),
    );
  }

  private sendOut(routed: Routed): Final {
    if (routed.kind !== 'forward' && routed.kind !== 'local') return this.routed(routed);
    this.take(routed);
    if (routed.kind === 'local') {
      // over the loopback device: out, and in again
      this.oif = 'lo';
      const stop = this.runHook('postrouting');
      if (stop !== null) return stop;
      this.confirm();
      this.iif = 'lo';
      return this.runHook('prerouting') ?? this.input();
    }
    return this.postroute();
  }

  private take(routed: Routed): void {
    this.route = routed.route;
    this.oif = routed.oif;
    this.gateway = routed.gateway;
    if (this.recording)
      this.note('routing', `to ${formatAddress(this.packet.dst)}${this.markText()}`, routed.text);
  }

  /** IPVS has chosen a real server: the packet is translated, routed afresh, and leaves as the node's own would. */
  redirectTo(address: Address, port: number): Final {
    const { connection, packet } = this;
    packet.dst = address;
    packet.dstPort = port;
    packet.changed();
    if (connection !== null && !connection.confirmed) {
      connection.reply = { ...connection.reply, src: address, srcPort: port };
      connection.dstNat = true;
      connection.dstDone = true;
    }
    const routed = routeOutput(this);
    this.hook = 'output';
    if (routed.kind !== 'forward' && routed.kind !== 'local') return this.routed(routed);
    this.take(routed);
    if (routed.kind === 'local') return this.sendOut(routed);
    return this.runHook('output') ?? this.postroute();
  }

  // ---- hooks

  /** null where the packet goes on. */
  runHook(hook: Hook): Final | null {
    this.hook = hook;
    this.by = null;
    for (const item of this.node.itemsOf(this.packet.family, hook)) {
      const stop = this.stopAt(item);
      if (stop !== null) return stop;
    }
    return null;
  }

  private stopAt(item: HookItem): Final | null {
    switch (item.kind) {
      case 'chain':
        return this.finalOf(this.evaluate(item.chain));
      case 'conntrack':
        return this.track();
      case 'nat':
        return this.translate(item.chains);
      case 'ipvs':
        return scheduleIpvs(this, this.node.ipvs);
    }
  }

  finalOf(verdict: Verdict): Final | null {
    switch (verdict.kind) {
      case 'accept':
        return null;
      case 'unknown':
        return { verdict: 'unknown', by: this.by, why: verdict.why };
      case 'reject': {
        const sent = verdict.with === 'tcp-reset' ? this.sendsReset() : this.sendsError(verdict.with);
        return sent
          ? { verdict: 'rejected', with: verdict.with, by: this.by }
          : { verdict: 'dropped', by: this.by, why: `nothing is sent back to this packet (${verdict.with})` };
      }
      default:
        return { verdict: 'dropped', by: this.by };
    }
  }

  /** nf_reject_ipv4.c: a RST is not answered by a RST, and only TCP has one. */
  private sendsReset(): boolean {
    return this.packet.proto === 6 && (this.packet.flags & 0x04) === 0;
  }

  /** RFC 1122 3.2.2, RFC 4443 2.4 (e): no ICMP error about an ICMP error, nor to nobody. */
  private sendsError(_with: string): boolean {
    const { packet } = this;
    if (packet.isIcmp) {
      if (packet.family === 6 ? packet.icmpType < 128 : [3, 4, 5, 11, 12].includes(packet.icmpType))
        return false;
    }
    const { src } = packet;
    return !(src.w0 === 0 && src.w1 === 0 && src.w2 === 0 && src.w3 === 0);
  }

  // ---- chains

  /** A base chain's verdict: accept, drop, reject or unknown. */
  evaluate(base: Chain): Verdict {
    const returns: { chain: Chain; at: number }[] = [];
    let chain = base;
    let at = 0;
    for (;;) {
      at = nextRule(chain, at, this.packet);
      if (at >= chain.rules.length) {
        const back = returns.pop();
        if (back === undefined) return this.policyOf(base);
        ({ chain, at } = back);
        continue;
      }
      const rule = chain.rules[at++]!;
      if (++this.tried > MOST_RULES)
        return { kind: 'unknown', why: `more than ${MOST_RULES} rules were tried` };
      const verdict = this.tryRule(rule);
      if (verdict === null) continue;
      switch (verdict.kind) {
        case 'jump':
          if (returns.length >= MOST_JUMPS) return { kind: 'unknown', why: 'chains jump more than 512 deep' };
          returns.push({ chain, at });
          chain = verdict.target;
          at = 0;
          break;
        case 'goto':
          chain = verdict.target;
          at = 0;
          break;
        case 'return': {
          const back = returns.pop();
          if (back === undefined) return this.policyOf(base);
          ({ chain, at } = back);
          break;
        }
        default:
          this.by = { table: rule.table.label, chain: rule.chain.name, rule: rule.text };
          return verdict;
      }
    }
  }

  private policyOf(base: Chain): Verdict {
    const policy = base.base?.policy ?? 'accept';
    if (policy === 'drop') this.by = { table: base.table.label, chain: base.name, rule: 'policy' };
    if (this.recording && policy === 'drop') {
      this.steps.push({
        hook: this.hook,
        table: base.table.label,
        chain: base.name,
        text: 'policy',
        result: policy,
      });
    }
    return { kind: policy };
  }

  /** The rule's verdict; null where it has none or does not match. */
  private tryRule(rule: Rule): Verdict | null {
    this.rule = rule;
    let passed = 0;
    for (const step of rule.steps) {
      const result = step(this);
      if (result === NEXT) {
        passed++;
        continue;
      }
      if (result === BREAK) {
        // a rule that failed at its last condition nearly decided
        if (this.recording && passed > 1 && passed >= rule.steps.length - 2)
          this.stepOf(rule, 'nearly: did not match');
        this.rule = null;
        return null;
      }
      if (this.recording) this.stepOf(rule, verdictText(result));
      this.rule = null;
      return result;
    }
    this.rule = null;
    return null;
  }

  private stepOf(rule: Rule, result: string): void {
    const last = this.steps.at(-1);
    // what a rule changed and what it decided are one step
    if (
      last?.text === rule.text &&
      last.rule === rule.number &&
      last.chain === rule.chain.name &&
      last.hook === this.hook
    ) {
      this.steps[this.steps.length - 1] = { ...last, result: `${last.result}, ${result}` };
      return;
    }
    this.steps.push({
      hook: this.hook,
      table: rule.table.label,
      chain: rule.chain.name,
      rule: rule.number,
      text: rule.text,
      result,
    });
  }

  // ---- connection tracking and NAT

  /** The packet's own tuple. */
  tuple(): Tuple {
    const { proto, src, dst, srcPort, dstPort, isIcmp, icmpType, icmpCode, icmpId } = this.packet;
    return isIcmp
      ? { proto, src, srcPort: icmpId ?? 0, dst, dstPort: (icmpType << 8) | icmpCode }
      : { proto, src, srcPort, dst, dstPort };
  }

  private track(): Final | null {
    if (this.connection !== null || this.ctinfo === 'untracked') return null;
    if (this.isInvalid) {
      this.ctinfo = 'invalid';
      return null;
    }
    const told = trackPacket(this);
    if (this.recording) this.note('conntrack', told, this.ctinfo);
    return null;
  }

  begin(): Connection {
    this.made = newConnection(this.tuple(), this.zone, this.packet.icmpId);
    this.made.helper = this.helper;
    this.connection = this.made;
    this.ctinfo = 'new';
    this.isReply = false;
    return this.made;
  }

  /** Works on a copy: a walk may be run again, and only the one that counts is kept. */
  join({ connection, reply }: Found): Connection {
    this.joined = connection;
    this.connection = { ...connection, labels: new Set(connection.labels) };
    this.isReply = reply;
    return this.connection;
  }

  private translate(chains: readonly Chain[]): Final | null {
    const { connection } = this;
    if (connection === null) return null;
    const manip = this.hook === 'prerouting' || this.hook === 'output' ? 'dst' : 'src';
    const done = (): boolean => (manip === 'dst' ? connection.dstDone : connection.srcDone);
    if ((this.ctinfo === 'new' || this.ctinfo === 'related') && !done()) {
      for (const chain of chains) {
        const stop = this.finalOf(this.evaluate(chain));
        if (stop !== null) return stop;
        if (done()) break;
      }
      if (!done()) nullBinding(this, manip);
    }
    manipulate(this, manip);
    return null;
  }

  private confirm(): void {
    const { connection } = this;
    if (connection === null) return;
    if (!connection.confirmed) {
      connection.confirmed = true;
      this.portDrawn ||= connection.portDrawn;
    }
  }

  tupleOfReply(connection: Connection): Tuple {
    return inverted(connection.reply);
  }

  private markText(): string {
    const { mark } = this.packet;
    return mark === 0 ? '' : ` with mark 0x${mark.toString(16)}`;
  }
}

function verdictText(verdict: Verdict): string {
  switch (verdict.kind) {
    case 'jump':
    case 'goto':
      return `${verdict.kind} ${verdict.target.name}`;
    case 'reject':
      return `reject with ${verdict.with}`;
    case 'unknown':
      return `unknown: ${verdict.why}`;
    default:
      return verdict.kind;
  }
}
