/** `flowfate audit`: a cluster's objects held against what is known to fail. */
import { type Command, Option } from 'commander';
import type { MeasuredRate } from '../audit/rules/conntrack.js';
import { writeAuditJson, writeAuditSarif, writeAuditText } from '../audit/write-audit.js';
import { type RouterText, readRouterTables } from '../cluster/router-tables/read-router-tables.js';
import { isScenario, objectsOf, type SourceObject } from '../cluster/scenario/source-objects.js';
import { Problems } from '../cluster/yaml/problems.js';
import { FlowfateError } from '../errors.js';
import { readRouterState, readSources } from '../input/read-sources.js';
import { TCP } from '../wire/ip-protocol.js';
import type { DeclareCommand } from './declare-command.js';
import { ExitStatus } from './exit-status.js';
import type { Io } from './io.js';
import { writeOutput } from './output.js';
import { readWithProgress, statusOfDamage, warn } from './read-input.js';
import { packageVersion } from './version.js';

interface AuditOptions {
  readonly cluster: readonly string[];
  readonly routerState: readonly string[];
  readonly capture?: string;
  readonly format: 'text' | 'json' | 'sarif';
  readonly out?: string;
  readonly failOn?: 'high' | 'medium' | 'low';
}

const EXAMPLES = `
No capture is needed. Each finding names the objects and fields that say so, what would break, why, and a remedy;
nothing is reported that the input does not show. What the rules would have asked and nobody gave is listed.

Examples:
  flowfate audit --cluster flowfate-collect.tgz
  kubectl get nodes,services,endpointslices,pods -A -o json | flowfate audit --cluster -
  flowfate audit --cluster dump/ --router-state router/ --capture traffic.pcap
  flowfate audit --cluster manifests/ --format sarif --out audit.sarif --fail-on high`;

const gather = (value: string, before: readonly string[]): readonly string[] => [...before, value];

export const repeatable = ['--cluster', '--router-state'];

export const declare: DeclareCommand = (command: Command, io, done) => {
  command
    .requiredOption(
      '--cluster <path>',
      'Kubernetes objects, as a file, folder or archive; may be repeated',
      gather,
      [],
    )
    .option('--router-state <file>', 'what the router prints; may be repeated', gather, [])
    .option('--capture <file>', 'traffic to hold conntrack’s limits against')
    .addOption(
      new Option('--format <format>', 'how to print').choices(['text', 'json', 'sarif']).default('text'),
    )
    .option('--out <file>', 'write to a file instead of standard output')
    .addOption(
      new Option('--fail-on <severity>', 'exit with 1 where a finding is as grave as this').choices([
        'high',
        'medium',
        'low',
      ]),
    )
    .addHelpText('after', EXAMPLES)
    .action(async (options: AuditOptions) => done(await run(options, io)));
};

async function run(options: AuditOptions, io: Io): Promise<ExitStatus> {
  const { cluster, routerState, capture, format, out, failOn } = options;
  if ([...cluster, ...routerState].filter((path) => path === '-').length > 1) {
    throw new FlowfateError('usage', 'only one of --cluster and --router-state can be standard input');
  }
  const objects: SourceObject[] = [];
  const router: RouterText[] = [];
  const problems = new Problems();
  for (const path of cluster) {
    const sources = await readSources(path, { stdin: io.stdin, many: true });
    router.push(...sources.router);
    for (const { documents, problems: own, isFound } of sources.files) {
      const damage = own.firstSentence();
      if (!isFound) problems.addAll(own);
      else if (damage !== null) warn(io, `${damage}; the rest of this file was left out`);
      objects.push(
        ...documents.flatMap((document) => objectsOf(document, isFound ? new Problems() : problems)),
      );
    }
  }
  problems.throwIfAny();
  for (const path of routerState) router.push(...(await readRouterState(path, io.stdin)));
  const kubernetes = objects.filter((object) => !isScenario(object));
  if (kubernetes.length === 0) {
    throw new FlowfateError(
      'config',
      `${cluster.join(', ')}: no Kubernetes objects; give what kubectl get -o yaml or flowfate collect writes`,
    );
  }
  const index = capture === undefined ? null : readWithProgress(capture, io, {});
  const { audit } = await import('../audit/audit.js');
  const result = audit({
    objects: kubernetes,
    router: readRouterTables(router),
    measured: index === null ? null : rateOf(capture!, index),
  });
  writeOutput(out, io, capture === undefined ? cluster : [...cluster, capture], ({ write }) => {
    if (format === 'json') writeAuditJson(result, write);
    else if (format === 'sarif') writeAuditSarif(result, packageVersion(), write);
    else writeAuditText(result, Math.min(io.columns ?? 100, 100), write);
  });
  if (index !== null) {
    const damaged = statusOfDamage(index, io);
    if (damaged !== ExitStatus.done) return damaged;
  }
  const graver = { high: ['high'], medium: ['high', 'medium'], low: ['high', 'medium', 'low'] } as const;
  const isOver =
    failOn !== undefined &&
    result.findings.some(({ severity }) => (graver[failOn] as readonly string[]).includes(severity));
  return isOver ? ExitStatus.budgetExceeded : ExitStatus.done;
}

/** a SYN without ACK, from either side: FLOW_SYN_OUT and FLOW_SYN_IN */
const BEGAN = 0x03;

function rateOf(file: string, { flows }: ReturnType<typeof readWithProgress>): MeasuredRate | null {
  let began = 0;
  let livedNs = 0;
  let fromNs = Number.POSITIVE_INFINITY;
  let toNs = 0;
  for (let f = 0; f < flows.count; f++) {
    fromNs = Math.min(fromNs, flows.firstNs[f]!);
    toNs = Math.max(toNs, flows.lastNs[f]!);
    if (flows.proto[f] !== TCP || (flows.marks[f]! & BEGAN) === 0) continue;
    began++;
    livedNs += flows.lastNs[f]! - flows.firstNs[f]!;
  }
  const seconds = (toNs - fromNs) / 1e9;
  return began === 0 || seconds < 1 ? null : { file, perS: began / seconds, meanS: livedNs / 1e9 / began };
}
